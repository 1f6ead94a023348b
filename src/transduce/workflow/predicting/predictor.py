"""From texts to texts: encode, search, decode, for one model or for several as one."""

from __future__ import annotations

import itertools
import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

import torch

from transduce.audio.reader import AudioReader
from transduce.audio.sound import HeardPart
from transduce.audio.word_times import Word, timed_words
from transduce.batches.batching import prefetch
from transduce.config import SearchConfig
from transduce.errors import DataError, ModelError, SearchError
from transduce.interfaces import BEGIN, END, Frames, Source, Stepper
from transduce.reading.frames import FrameReader, FrameSource
from transduce.reading.parts import WHOLE, Part
from transduce.search import Constraints, Hypothesis, decode_all, decode_parts
from transduce.tokenization.joint import Coder
from transduce.workflow.predicting.frame_windows import FramePart, frame_parts, noted_parts
from transduce.workflow.predicting.output import EMPTY, Output, joined, unanswered
from transduce.workflow.predicting.source_limits import UNLIMITED, SourceLimits, shortage_explained
from transduce.workflow.predicting.source_rows import read_ahead, source_rows

__all__ = ["Output", "Predictor"]

T = TypeVar("T")


_PARTS_AHEAD = 16  # of recordings, or pictures: read while others are decoded


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
    timings: bool = False  # of the words of recordings
    limits: SourceLimits = UNLIMITED

    def predict(
        self,
        sources: Iterable[FrameSource | DataError],
        options: SearchConfig,
        *,
        window: int = 4096,
        keep_going: bool = False,
    ) -> Iterator[list[Output]]:
        """The n-best outputs of each source, in order, reading ``window`` sources ahead.

        A source is a text or, for models of recordings and pictures, a path or an array. An empty
        text has an empty output. One longer than ``max_source_length`` is cut to that.

        What cannot be answered (a file that cannot be read, a source that is too long, an error
        that stands in the place of one) raises DataError or, with ``keep_going``, has one output,
        which says why. Raises SearchError where the options contradict each other or the
        tokenizer, before anything is decoded, and EngineError where memory is short.
        """
        reader = self.source
        constraints = self._constraints(options)
        if not isinstance(reader, FrameReader):
            if self.timings:
                raise ModelError("timings must be asked of a model of recordings; got another")
            return self._of_texts(iter(sources), reader, options, constraints, window, keep_going)
        parts = frame_parts(sources, self._reading(reader), options, self.limits, keep_going)
        return self._of_frames(parts, options, constraints, window)

    def _reading(self, reader: FrameReader) -> Callable[[FrameSource], Iterable[HeardPart]]:
        if isinstance(reader, AudioReader):
            return partial(reader.heard_parts, sound=self.timings)
        if self.timings:
            raise ModelError("timings must be asked of a model of recordings; got another")
        return lambda source: map(HeardPart, reader.parts(source))

    def predict_frames(
        self, sources: Iterable[list[Frames]], options: SearchConfig, *, window: int = 4096
    ) -> Iterator[list[Output]]:
        """The same for sources that are read already, each in the parts that its reader gives.

        Where there are several parts, only the best outputs are kept and joined.
        """
        heard = frame_parts(sources, partial(map, HeardPart), options, UNLIMITED, False)
        return self._of_frames(heard, options, self._constraints(options), window)

    def _of_frames(
        self,
        parts: Iterator[FramePart | DataError],
        options: SearchConfig,
        constraints: Constraints | None,
        window: int,
    ) -> Iterator[list[Output]]:
        # What was read and is not given yet: parts, and errors in the place of whole sources.
        waiting: deque[FramePart | DataError] = deque()
        ahead = prefetch(parts, _PARTS_AHEAD) if window > 1 else parts
        # Where the first part chooses how the others begin, a source's parts go together.
        together = constraints is not None and bool(constraints.first_of)
        read = noted_parts(ahead, waiting, together=together, timings=self.timings)
        found = decode_parts(
            self.stepper, read, options, constraints, device=self.device, window=window
        )
        outputs: list[list[Output]] = []
        before = 0.0
        for hypotheses in _explained(found):
            while isinstance(part := waiting.popleft(), DataError):
                yield [unanswered(part)]
                outputs, before = [], 0.0
            heard = part.heard
            outputs.append([self._output(h, heard, before) for h in hypotheses])
            before += 0.0 if heard is None else heard.seconds(self._rate())
            if part.last:
                yield joined(outputs)
                outputs, before = [], 0.0
        for error in waiting:
            if isinstance(error, DataError):
                yield [unanswered(error)]

    def _of_texts(
        self,
        sources: Iterator[FrameSource | DataError],
        tokenizer: Coder,
        options: SearchConfig,
        constraints: Constraints | None,
        window: int,
        keep_going: bool,
    ) -> Iterator[list[Output]]:
        decoded_before = 0
        while asked := read_ahead(sources, window):
            rows = source_rows(asked, tokenizer, self.part, options, self.limits)
            if not keep_going:
                for row in rows:
                    if isinstance(row, DataError):
                        raise row
            full = [row for row in rows if isinstance(row, list)]
            decoded = decode_all(
                self.stepper,
                full,
                options,
                constraints,
                device=self.device,
                window=window,
                numbers=itertools.count(decoded_before),
            )
            decoded_before += len(full)
            answers = _explained(decoded)
            for row in rows:
                if isinstance(row, DataError):
                    yield [unanswered(row)]
                else:
                    yield [EMPTY] if row is None else [self._output(h) for h in next(answers)]

    def _constraints(self, options: SearchConfig) -> Constraints | None:
        first, begin = self.target_tokenizer.first, self._begin()
        banned, guessed = self.target_tokenizer.banned_first, self.target_tokenizer.first_of
        never = self.target_tokenizer.forbidden
        wanted = never or options.prefix or options.forbidden or options.required
        if not (first or banned or guessed or begin or wanted):
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
            free=len(first) + len(begin),
            banned_first=banned,
            first_of=tuple(guessed),
            forbidden=(*never, *(tuple(encode(phrase)) for phrase in options.forbidden)),
            required=tuple(tuple(encode(phrase)) for phrase in options.required),
        )

    def _begin(self) -> tuple[int, ...]:
        """What every output has to begin with: the tag of the part, where targets have it."""
        tag = self.part.target_tag
        return tuple(self.target_tokenizer.encode(tag)) if tag else ()

    def _unwritten(self) -> int:
        """How many of an output's first tokens are no text."""
        coder = self.target_tokenizer
        return bool(coder.first_of) + len(coder.first) + bool(self.part.target_tag)

    def _rate(self) -> float:
        """Frames a second."""
        rate = self.source.frames_a_second if isinstance(self.source, FrameReader) else None
        if rate is None:
            raise ModelError("timings must be asked of a model of recordings; got another")
        return rate

    def _words(self, hypothesis: Hypothesis, part: HeardPart, before: float) -> tuple[Word, ...]:
        """When each word was said, ``before`` being the seconds that came earlier.

        Attention to the silence that was put behind a recording does not count.
        """
        frames = part.frames
        source = Source.of_frames([frames], frames.shape[1]).to(self.device)
        read = [token for token in hypothesis.tokens if token != END]
        state = self.stepper.start(source, attention=True)
        tokens = torch.tensor([[BEGIN, *read]], device=self.device)
        weights = self.stepper.step(tokens, state)[1].attention
        if weights is None:
            raise ModelError("timings must be asked of a model with attention; got another")
        skipped = self._unwritten()
        scale = len(frames) / self._rate() / weights.shape[2]  # seconds of a position
        positions = max(1, math.ceil(round(part.seconds(self._rate()) / scale, 6)))
        own = weights[0, skipped:, :positions].float().cpu().numpy()
        decode = self.target_tokenizer.decode
        found = timed_words(own, read[skipped:], decode, scale * own.shape[1], part.sound)
        return tuple(
            replace(word, start=round(word.start + before, 3), end=round(word.end + before, 3))
            for word in found
        )

    def _output(
        self, hypothesis: Hypothesis, part: HeardPart | None = None, before: float = 0.0
    ) -> Output:
        tokens = [token for token in hypothesis.tokens if token != END]
        return Output(
            text=self.target_tokenizer.decode(tokens[self._unwritten() :]),
            tokens=tuple(self.target_tokenizer.symbols(tokens)),
            score=hypothesis.score,
            log_probability=hypothesis.log_probability,
            token_scores=hypothesis.token_scores,
            finished=hypothesis.finished,
            constraints_met=hypothesis.constraints_met,
            words=() if part is None else self._words(hypothesis, part, before),
            language=self.target_tokenizer.first_of.get(tokens[0], "") if tokens else "",
        )


def _explained(found: Iterator[T]) -> Iterator[T]:
    while True:
        with shortage_explained():
            item = next(found, None)
        if item is None:
            return
        yield item
