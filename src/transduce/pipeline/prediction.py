"""From texts to texts: encode, search, decode, for one model or for several as one."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import torch

from transduce.config import SearchConfig
from transduce.data.joint import Coder
from transduce.data.parts import WHOLE, Part
from transduce.errors import SearchError
from transduce.interfaces import END, Stepper
from transduce.search import Constraints, Hypothesis, decode_all

__all__ = ["Output", "Predictor"]


@dataclass(frozen=True)
class Output:
    """One hypothesis as a person reads it.

    ``score`` is what the search ranked by; ``log_probability`` (nats) and
    ``token_scores`` are the model's own, the last token score that of the end.
    """

    text: str
    tokens: tuple[str, ...]
    score: float
    log_probability: float
    token_scores: tuple[float, ...]
    finished: bool = True
    constraints_met: bool = True


_EMPTY = Output("", (), 0.0, 0.0, ())


@dataclass(frozen=True)
class Predictor:
    """A stepper between its tokenizers. Its models must be in evaluation mode.

    ``part`` of a mixture: whose tags stand in front of sources and begin outputs. The latter
    is among an output's tokens and scores, and not in its text.
    """

    stepper: Stepper[Any]
    source_tokenizer: Coder
    target_tokenizer: Coder
    device: torch.device
    part: Part = WHOLE

    def predict(
        self, sources: Iterable[str], options: SearchConfig, *, window: int = 4096
    ) -> Iterator[list[Output]]:
        """The n-best outputs of each source, in order, reading ``window`` sources ahead.

        An empty source has an empty output. Raises SearchError where the options contradict
        each other or the tokenizer, before anything is decoded.
        """
        constraints = self._constraints(options)
        remaining, decoded_before = iter(sources), 0
        while texts := list(itertools.islice(remaining, window)):
            full = [text for text in texts if text.strip()]
            decoded = decode_all(
                self.stepper,
                self.source_tokenizer.encode_batch([self.part.source(text) for text in full]),
                options,
                constraints,
                device=self.device,
                window=window,
                first_number=decoded_before,
            )
            decoded_before += len(full)
            for text in texts:
                yield [self._output(h) for h in next(decoded)] if text.strip() else [_EMPTY]

    def _constraints(self, options: SearchConfig) -> Constraints | None:
        begin = self._begin()
        if not (begin or options.prefix or options.forbidden or options.required):
            return None
        if options.prefix and self.target_tokenizer.config.right_to_left:
            # The search would hold it to be the first tokens, which are the last of the text.
            raise SearchError(
                "search.prefix must be empty where the tokenizer of the target is right_to_left, "
                f"as outputs are then written from their end; got {options.prefix!r}"
            )
        encode = self.target_tokenizer.encode
        return Constraints(
            prefix=(*begin, *encode(options.prefix or "")),
            forbidden=tuple(tuple(encode(phrase)) for phrase in options.forbidden),
            required=tuple(tuple(encode(phrase)) for phrase in options.required),
        )

    def _begin(self) -> tuple[int, ...]:
        """What every output has to begin with: the tag of the part, where targets have it."""
        tag = self.part.target_tag
        return tuple(self.target_tokenizer.encode(tag)) if tag else ()

    def _output(self, hypothesis: Hypothesis) -> Output:
        tokens = [token for token in hypothesis.tokens if token != END]
        return Output(
            text=self.target_tokenizer.decode(tokens[1:] if self.part.target_tag else tokens),
            tokens=tuple(self.target_tokenizer.symbols(tokens)),
            score=hypothesis.score,
            log_probability=hypothesis.log_probability,
            token_scores=hypothesis.token_scores,
            finished=hypothesis.finished,
            constraints_met=hypothesis.constraints_met,
        )
