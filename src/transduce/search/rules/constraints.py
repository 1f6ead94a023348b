"""What an output must begin with, must hold and must not hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from transduce.config import SearchConfig
from transduce.errors import SearchError
from transduce.interfaces import BEGIN, END, PADDING, UNKNOWN, Source
from transduce.search.rules.adjustments import UNADJUSTED, Adjustments
from transduce.search.rules.shortlist import Shortlist, needs_all_tokens

__all__ = ["Constraints", "FollowedPhrases", "PhraseAutomaton", "check", "check_vocabulary"]

Phrase = tuple[int, ...]

_MOST_TOKENS = 1 << 31  # of any vocabulary
_LARGEST_TABLE = 1 << 24  # entries of an automaton: 128 MiB


@dataclass(frozen=True, slots=True)
class Constraints:
    """Token sequences (without BEGIN and END) that bind every output of a search.

    Outputs begin with ``prefix``, never hold a phrase of ``forbidden`` and, as far as the
    search finds a way, hold each phrase of ``required`` (phrases may overlap). The first
    ``free`` tokens of the prefix are no choice of the model's and score 0: a language code.
    ``banned_first`` are tokens that do not follow the prefix. Where there are ``first_of``,
    each output begins with the one of these that the model holds most probable, in front of the
    prefix and as free: a language that is guessed. ``adjustments`` bear on scores. The
    ``shortlist`` says which tokens a source calls for, where the options ask for one.
    """

    prefix: Phrase = ()
    forbidden: tuple[Phrase, ...] = ()
    required: tuple[Phrase, ...] = ()
    free: int = 0
    banned_first: tuple[int, ...] = ()
    first_of: tuple[int, ...] = ()
    adjustments: Adjustments = UNADJUSTED
    shortlist: Shortlist | None = None

    def listed(self, source: Source, options: SearchConfig) -> Source:
        """The source with the tokens that its output may hold, where ``options`` ask for them.

        What must be writable is among them. Raises SearchError where there is no shortlist.
        """
        if not options.shortlist or source.shortlist is not None or needs_all_tokens(options):
            return source
        if self.shortlist is None:
            raise SearchError("shortlist must be false where none was learnt; got true")
        return self.shortlist.beside(source, self.wanted_tokens)

    @property
    def largest_token(self) -> int:
        """The largest token of all phrases; -1 where there is none."""
        ends = self.prefix, self.banned_first, self.first_of
        phrases = (*ends, *self.forbidden, *self.required)
        named = max((token for phrase in phrases for token in phrase), default=-1)
        return max(named, self.adjustments.largest_token)

    @property
    def wanted_tokens(self) -> frozenset[int]:
        """All tokens that an output must be able to hold."""
        adjustments = self.adjustments
        phrases = (self.prefix, self.first_of, *self.required, adjustments.ends)
        raised = (phrase for phrase, bias in adjustments.biases if bias > 0)
        return frozenset(token for phrase in (*phrases, *raised) for token in phrase)

    def asks_rows(self) -> bool:
        """Whether a search needs the scores of all tokens."""
        return bool(self.forbidden or self.required) or self.adjustments.asks_rows()


def check(options: SearchConfig, constraints: Constraints) -> None:
    """Raise SearchError where options and constraints contradict each other."""
    if (reason := options.refusal()) is not None:
        raise SearchError(reason)
    _check_phrases(constraints)
    longest = max((len(phrase) for phrase in constraints.required), default=0)
    first = len(constraints.prefix) + bool(constraints.first_of)
    for name, length in (("prefix", first), ("required phrase", longest)):
        if length > options.max_length:
            raise SearchError(
                f"{name} must have at most max_length ({options.max_length}) tokens; got {length}"
            )
    if constraints.required and options.sample:
        raise SearchError("required must be empty when sample is true; use beam search")
    if constraints.required and constraints.adjustments.ends:
        raise SearchError("required must be empty where other tokens than END end an output")
    size = options.no_repeat_ngram
    for phrase in constraints.required:
        if size is not None and _repeats(phrase, size):
            raise SearchError(
                f"required phrase must not repeat {size} tokens when no_repeat_ngram is {size}; "
                f"got {phrase}"
            )


def _check_phrases(constraints: Constraints) -> None:
    unwritten = {PADDING, BEGIN, END}
    named = [
        ("prefix", constraints.prefix),
        *(("first token", (token,)) for token in constraints.first_of),
        *(("forbidden phrase", phrase) for phrase in constraints.forbidden),
        *(("required phrase", phrase) for phrase in constraints.required),
    ]
    for name, phrase in named:
        if not phrase and name != "prefix":
            raise SearchError(f"{name} must have at least one token; got none")
        banned = unwritten | {UNKNOWN} if name == "required phrase" else unwritten
        if any(token < 0 or token in banned for token in phrase):
            raise SearchError(f"{name} must hold only tokens a model writes; got {phrase}")
    if any(token < 0 for token in constraints.banned_first):
        raise SearchError(
            f"banned first tokens must be at least 0; got {min(constraints.banned_first)}"
        )
    check_vocabulary(_MOST_TOKENS, constraints)
    _refuse_large_table("forbidden phrases", constraints.forbidden)
    _refuse_large_table("required phrases", constraints.required)
    for forbidden in constraints.forbidden:
        for name, phrase in named:
            if name != "forbidden phrase" and _contains(phrase, forbidden):
                raise SearchError(
                    f"{name} must not hold a forbidden phrase; got {phrase}, forbidden {forbidden}"
                )


def check_vocabulary(size: int | None, constraints: Constraints) -> None:
    """Raise SearchError where a constraint holds a token that a model of ``size`` does not know.

    None where that is not known yet.
    """
    if size is not None and constraints.largest_token >= size:
        raise SearchError(
            f"constraints must hold tokens below the vocabulary's size ({size}); "
            f"got {constraints.largest_token}"
        )


def _refuse_large_table(name: str, phrases: Sequence[Phrase]) -> None:
    letters = len({token for phrase in phrases for token in phrase})
    size = len(phrases) * (max(map(len, phrases), default=0) + 1) * (letters + 1)
    if size > _LARGEST_TABLE:
        raise SearchError(
            f"{name} must be fewer or shorter: their number times the tokens of the longest "
            f"times their distinct tokens must be at most {_LARGEST_TABLE:,}; got {size:,}"
        )


def _contains(phrase: Phrase, inner: Phrase) -> bool:
    return any(
        phrase[start : start + len(inner)] == inner for start in range(len(phrase) - len(inner) + 1)
    )


def _repeats(phrase: Phrase, size: int) -> bool:
    grams = [phrase[start : start + size] for start in range(len(phrase) - size + 1)]
    return len(set(grams)) < len(grams)


class PhraseAutomaton:
    """Follows F phrases through many token sequences at once (Knuth, Morris & Pratt 1977).

    The state of a sequence is int64 ``[..., F]``: how many tokens of each phrase its
    end matches. A phrase that has been seen whole keeps its full length for good.
    """

    def __init__(self, phrases: Sequence[Phrase], device: torch.device) -> None:
        # Letters: the tokens that occur in a phrase, numbered from 1; 0 is any other token.
        letters = sorted({token for phrase in phrases for token in phrase})
        longest = max(len(phrase) for phrase in phrases)
        number = {token: place for place, token in enumerate(letters, start=1)}
        table = torch.zeros(len(phrases), longest + 1, len(letters) + 1, dtype=torch.int64)
        for row, phrase in enumerate(phrases):
            for matched in range(len(phrase)):
                for token in set(phrase):  # after any other token nothing matches
                    table[row, matched, number[token]] = _matched(phrase, matched, token)
            table[row, len(phrase) :] = len(phrase)
        padded = [(*phrase, *[PADDING] * (longest + 1 - len(phrase))) for phrase in phrases]
        self._letters = torch.tensor(letters, device=device)
        self._table = table.to(device)
        self._phrases = torch.tensor(padded, device=device)
        self._which = torch.arange(len(phrases), device=device)
        self.lengths = torch.tensor([len(phrase) for phrase in phrases], device=device)
        self.last_tokens = torch.tensor([phrase[-1] for phrase in phrases], device=device)

    def start(self, shape: tuple[int, ...], prefix: Phrase) -> Tensor:
        """The state ``[*shape, F]`` after ``prefix``."""
        state = torch.zeros(
            *shape, len(self.lengths), dtype=torch.int64, device=self.lengths.device
        )
        for token in prefix:
            state = self.advance(state, state.new_full(shape, token))
        return state

    def advance(self, state: Tensor, tokens: Tensor) -> Tensor:
        """From states ``[..., F]`` with tokens int64 ``[...]`` to the states after them."""
        place = torch.searchsorted(self._letters, tokens).clamp(max=len(self._letters) - 1)
        letter = torch.where(self._letters[place] == tokens, place + 1, torch.zeros_like(place))
        return self._table[self._which, state, letter[..., None]]

    def next_tokens(self, state: Tensor) -> Tensor:
        """The token that takes each phrase forward, ``[..., F]``; PADDING where it is whole."""
        return self._phrases[self._which, state]

    def complete(self, state: Tensor) -> Tensor:
        """Bool ``[..., F]``, true where a phrase has been seen whole."""
        return state == self.lengths

    def one_short(self, state: Tensor) -> Tensor:
        """Bool ``[..., F]``, true where the next token would complete the phrase."""
        return state == self.lengths - 1


class FollowedPhrases:
    """How much of each phrase the open hypotheses hold: ``state`` int64 ``[M, W, F]``."""

    def __init__(
        self,
        phrases: Sequence[Phrase],
        shape: tuple[int, int],
        prefix: Phrase,
        device: torch.device,
    ) -> None:
        """``shape`` is ``[M, W]``; all have written ``prefix``."""
        self.automaton = PhraseAutomaton(phrases, device)
        self.state = self.automaton.start(shape, prefix)

    def follow(self, rows: Tensor, tokens: Tensor) -> None:
        """As ``Ban.follow``."""
        before = self.state.flatten(0, 1)[rows]  # [M, W, F] → [N, F], of which [M', W, F]
        self.state = self.automaton.advance(before, tokens)


def _matched(phrase: Phrase, matched: int, token: int) -> int:
    """How many tokens of ``phrase`` a sequence matches after ``token``."""
    seen = (*phrase[:matched], token)
    for length in range(min(len(seen), len(phrase)), 0, -1):
        if seen[len(seen) - length :] == phrase[:length]:
            return length
    return 0
