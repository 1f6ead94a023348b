"""From texts to texts: encode, search, decode, for one model or for several as one."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import torch

from transduce.config import SearchConfig
from transduce.data.batching import prefetch
from transduce.data.frames import FrameReader, FrameSource
from transduce.data.joint import Coder
from transduce.data.parts import WHOLE, Part
from transduce.errors import DataError, SearchError
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


_FILES_AHEAD = 16  # read while others are decoded
_EMPTY = Output("", (), 0.0, 0.0, ())


@dataclass(frozen=True)
class Predictor:
    """A stepper between what reads sources and the target's tokenizer.

    Its models must be in evaluation mode.

    ``part`` of a mixture: whose tags stand in front of sources and begin outputs. The latter
    is among an output's tokens and scores, and not in its text.
    """

    stepper: Stepper[Any]
    source: Coder | FrameReader
    target_tokenizer: Coder
    device: torch.device
    part: Part = WHOLE

    def predict(
        self, sources: Iterable[FrameSource], options: SearchConfig, *, window: int = 4096
    ) -> Iterator[list[Output]]:
        """The n-best outputs of each source, in order, reading ``window`` sources ahead.

        A source is a text or, for models of recordings and pictures, a path or an array. An empty
        text has an empty output. Raises DataError for a file that cannot be read, SearchError
        where the options contradict each other or the tokenizer, before anything is decoded.
        """
        constraints = self._constraints(options)
        reader = self.source
        if not isinstance(reader, FrameReader):
            texts = (_text(source) for source in sources)
            return self._of_texts(texts, reader, options, constraints, window)
        frames = map(reader.read, sources)
        found = decode_all(
            self.stepper,
            prefetch(frames, _FILES_AHEAD) if window > 1 else frames,
            options,
            constraints,
            device=self.device,
            window=window,
        )
        return ([self._output(h) for h in hypotheses] for hypotheses in found)

    def _of_texts(
        self,
        sources: Iterator[str],
        tokenizer: Coder,
        options: SearchConfig,
        constraints: Constraints | None,
        window: int,
    ) -> Iterator[list[Output]]:
        remaining, decoded_before = sources, 0
        while texts := list(itertools.islice(remaining, window)):
            full = [text for text in texts if text.strip()]
            decoded = decode_all(
                self.stepper,
                tokenizer.encode_batch([self.part.source(text) for text in full]),
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
        first, begin = self.target_tokenizer.first, self._begin()
        if not (first or begin or options.prefix or options.forbidden or options.required):
            return None
        if options.prefix and self.target_tokenizer.config.right_to_left:
            # The search would hold it to be the first tokens, which are the last of the text.
            raise SearchError(
                "search.prefix must be empty where the tokenizer of the target is right_to_left, "
                f"as outputs are then written from their end; got {options.prefix!r}"
            )
        encode = self.target_tokenizer.encode_phrase
        return Constraints(
            prefix=(*first, *begin, *encode(options.prefix or "")),
            free=len(first),
            forbidden=tuple(tuple(encode(phrase)) for phrase in options.forbidden),
            required=tuple(tuple(encode(phrase)) for phrase in options.required),
        )

    def _begin(self) -> tuple[int, ...]:
        """What every output has to begin with: the tag of the part, where targets have it."""
        tag = self.part.target_tag
        return tuple(self.target_tokenizer.encode(tag)) if tag else ()

    def _unwritten(self) -> int:
        """How many of an output's first tokens are no text."""
        return len(self.target_tokenizer.first) + bool(self.part.target_tag)

    def _output(self, hypothesis: Hypothesis) -> Output:
        tokens = [token for token in hypothesis.tokens if token != END]
        return Output(
            text=self.target_tokenizer.decode(tokens[self._unwritten() :]),
            tokens=tuple(self.target_tokenizer.symbols(tokens)),
            score=hypothesis.score,
            log_probability=hypothesis.log_probability,
            token_scores=hypothesis.token_scores,
            finished=hypothesis.finished,
            constraints_met=hypothesis.constraints_met,
        )


def _text(source: FrameSource) -> str:
    if not isinstance(source, str):
        raise DataError(f"source must be text for this model; got {type(source).__name__}")
    return source
