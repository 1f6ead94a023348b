"""From hypotheses to what a person reads, and from what a person asks to constraints."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from functools import cache

from transduce.config import SearchConfig
from transduce.errors import SearchError
from transduce.interfaces import END, UNKNOWN
from transduce.reading.parts import WHOLE, Part
from transduce.search import Constraints, Hypothesis, Shortlist
from transduce.search.rules.adjustments import Adjustments
from transduce.search.rules.shortlist import needs_all_tokens
from transduce.tokenization.joint import Coder
from transduce.workflow.predicting.other_tokens import TokenAlternatives, token_alternatives
from transduce.workflow.predicting.output import Output
from transduce.workflow.predicting.output_rules import NO_RULES, OutputRules

__all__ = ["Writer", "leave_shortlist_aside"]


@cache
def leave_shortlist_aside(option: str) -> None:
    """Say once that an option asks about the whole vocabulary."""
    logging.getLogger("transduce").warning(
        "search.shortlist is left aside where %s asks about the whole vocabulary", option
    )


@dataclass(frozen=True)
class Writer:
    """The target's tokenizer for a part of a mixture.

    The part's tag begins each output: it is among its tokens and scores, and not in its text.
    """

    tokenizer: Coder
    part: Part = WHOLE
    rules: OutputRules = NO_RULES
    shortlist: Shortlist | None = None

    def constraints(self, options: SearchConfig) -> Constraints | None:
        """What bears on each output; None where nothing does. Raises SearchError."""
        found = self._phrases(options)
        if not options.shortlist:
            return found
        if self.shortlist is None:
            raise SearchError(
                "search.shortlist must be false for a model without a shortlist, which "
                "`transduce shortlist MODEL` learns; got true"
            )
        if (option := needs_all_tokens(options)) is not None:
            leave_shortlist_aside(f"search.{option}")
        return replace(found or Constraints(), shortlist=self.shortlist)

    def _phrases(self, options: SearchConfig) -> Constraints | None:
        rules, begin = self.rules, self._begin()
        first = self.tokenizer.first if rules.first is None else rules.first
        guessed = self.tokenizer.first_of if rules.first is None else {}
        banned = (*self.tokenizer.banned_first, *rules.banned_first)
        always = (*self.tokenizer.forbidden, *rules.forbidden)
        wanted = always or options.prefix or options.forbidden or options.required
        adjusted = self._adjustments(options)
        if not (first or banned or guessed or begin or wanted or rules.required or adjusted):
            return None
        if options.prefix and self.tokenizer.config.right_to_left:
            # The search would hold it to be the first tokens, which are the last of the text.
            raise SearchError(
                "search.prefix must be empty where the tokenizer of the target is right_to_left, "
                f"as outputs are then written from their end; got {options.prefix!r}"
            )
        encode = self.tokenizer.encode_phrase
        for name, texts in (("prefix", (options.prefix or "",)), ("required", options.required)):
            for text in texts:
                if UNKNOWN in encode(text):
                    raise SearchError(
                        f"search.{name} must hold only symbols that the model knows; got {text!r}"
                    )
        return Constraints(
            prefix=(*first, *begin, *encode(options.prefix or "")),
            free=len(first) + len(begin),
            banned_first=banned,
            first_of=tuple(guessed),
            forbidden=(*always, *(tuple(encode(phrase)) for phrase in options.forbidden)),
            required=(*rules.required, *(tuple(encode(phrase)) for phrase in options.required)),
            adjustments=adjusted or rules.adjustments,
        )

    def _adjustments(self, options: SearchConfig) -> Adjustments | None:
        """What bears on scores; None where nothing does."""
        adjustments, begin = self.rules.adjustments, self.tokenizer.begin
        if begin and (options.no_repeat_ngram or options.is_set("repetition_penalty")):
            return replace(adjustments, begin=begin)
        return None if adjustments == NO_RULES.adjustments else replace(adjustments, begin=begin)

    def _begin(self) -> tuple[int, ...]:
        """What every output has to begin with: the tag of the part, where targets have it."""
        tag = self.part.target_tag
        return tuple(self.tokenizer.encode(tag)) if tag else ()

    def read(self, hypothesis: Hypothesis) -> list[int]:
        """Its tokens without END."""
        return [token for token in hypothesis.tokens if token != END]

    def unwritten(self) -> int:
        """How many of an output's first tokens are no text."""
        coder = self.tokenizer
        if self.rules.first is not None:  # text, as far as its symbols are
            return bool(self.part.target_tag)
        return bool(coder.first_of) + len(coder.first) + bool(self.part.target_tag)

    def words(self, hypothesis: Hypothesis) -> list[int]:
        """For each token of its text, which word of the text it is of.

        Words are what spaces separate; the last of a text with none is number 0. What is written
        from the right begins with the last.
        """
        tokens = self.read(hypothesis)[self.unwritten() :]
        decode = self.tokenizer.decode
        begun = [max(1, len(decode(tokens[: n + 1]).split())) for n in range(len(tokens))]
        if self.tokenizer.config.right_to_left:
            return [max(0, begun[-1] - count) for count in begun]
        return [count - 1 for count in begun]

    def alternatives(self, hypothesis: Hypothesis, count: int) -> tuple[TokenAlternatives, ...]:
        """The ``count`` nearest others at each of its tokens, once it was read a second time."""
        read = hypothesis.retraced
        if read is None:
            return ()
        tokens = [*hypothesis.tokens, END][: len(read.log_probs)]
        return token_alternatives(read, tokens, self.tokenizer, count)

    def output(self, hypothesis: Hypothesis) -> Output:
        """A hypothesis as a person reads it."""
        tokens = self.read(hypothesis)
        first_of = self.tokenizer.first_of
        return Output(
            text=self.tokenizer.decode(tokens[self.unwritten() :]),
            tokens=tuple(self.tokenizer.symbols(tokens)),
            score=hypothesis.score,
            log_probability=hypothesis.log_probability,
            token_scores=hypothesis.token_scores,
            finished=hypothesis.finished,
            constraints_met=hypothesis.constraints_met,
            language=first_of.get(tokens[0], "") if tokens else "",
            numbers=tuple(tokens),
        )
