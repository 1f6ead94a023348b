"""From recordings and pictures to texts: read, search, decode."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch

from transduce.audio.sound import Segment
from transduce.audio.word_times import Word, timed_words
from transduce.batches.batching import prefetch
from transduce.config import SearchConfig
from transduce.errors import DataError, ModelError
from transduce.interfaces import BEGIN, Frames, Source, Stepper
from transduce.reading.frames import FrameReader, FrameSource
from transduce.search import Constraints, Hypothesis, decode_segments
from transduce.workflow.predicting.details import PLAIN, Details
from transduce.workflow.predicting.frame_windows import HeldSegment, frame_segments, noted_segments
from transduce.workflow.predicting.output import Output, unanswered
from transduce.workflow.predicting.predictor import explained
from transduce.workflow.predicting.source_limits import UNLIMITED, SourceLimits
from transduce.workflow.predicting.writer import Writer

__all__ = ["FramePredictor"]

_AHEAD = 16  # segments of recordings, or pictures: read while others are decoded


@dataclass(frozen=True)
class FramePredictor:
    """A ``Predictor`` of recordings and pictures."""

    stepper: Stepper[Any]
    reader: FrameReader
    writer: Writer
    device: torch.device
    limits: SourceLimits = UNLIMITED
    timings: bool = False  # of the words of recordings
    details: Details = PLAIN

    def predict(
        self,
        sources: Iterable[FrameSource | DataError],
        options: SearchConfig,
        *,
        window: int = 4096,
        keep_going: bool = False,
    ) -> Iterator[list[Output]]:
        """The n-best outputs of each file or array; see :class:`Predictor`."""
        options = self.limits.capped(options)
        constraints = self.writer.constraints(options)
        read = partial(self.reader.segments, sound=self.timings)
        segments = frame_segments(sources, read, options, self.limits, keep_going)
        return self._of_frames(segments, options, constraints, window)

    def predict_frames(
        self, sources: Iterable[list[Frames]], options: SearchConfig, *, window: int = 4096
    ) -> Iterator[list[Output]]:
        """The same for sources that are read already, each in the segments that its reader gives.

        Where there are several, only the best outputs are kept and joined.
        """
        segments = frame_segments(sources, partial(map, Segment), options, UNLIMITED, False)
        return self._of_frames(segments, options, self.writer.constraints(options), window)

    def _of_frames(
        self,
        segments: Iterator[HeldSegment | DataError],
        options: SearchConfig,
        constraints: Constraints | None,
        window: int,
    ) -> Iterator[list[Output]]:
        # What was read and is not given yet: segments, and errors in the place of whole sources.
        waiting: deque[HeldSegment | DataError] = deque()
        ahead = prefetch(segments, _AHEAD) if window > 1 else segments
        # Where the first segment chooses how the others begin, a source's segments go together.
        together = constraints is not None and bool(constraints.first_of)
        read = noted_segments(ahead, waiting, together=together, timings=self.timings)
        found = decode_segments(
            self.stepper,
            read,
            self.details.searching(options),
            constraints,
            device=self.device,
            window=window,
            retracing=self.details.retracing(),
        )
        outputs: list[list[Output]] = []
        before = 0.0
        for hypotheses in explained(found):
            while isinstance(held := waiting.popleft(), DataError):
                yield [unanswered(held)]
                outputs, before = [], 0.0
            segment = held.segment
            own = self.details.outputs(self.writer, hypotheses, held.frames, options.nbest)
            if segment is not None:
                for place, hypothesis in enumerate(hypotheses[: len(own)]):
                    words = self._words(hypothesis, segment, before)
                    own[place] = replace(own[place], words=words)
                before += segment.seconds(self._rate)
            outputs.append(own)
            if held.last:
                yield self.details.whole(outputs)
                outputs, before = [], 0.0
        for error in waiting:
            if isinstance(error, DataError):
                yield [unanswered(error)]

    @property
    def _rate(self) -> float:
        """Frames a second."""
        rate = self.reader.frames_a_second
        if rate is None:
            raise ModelError("timings must be asked of a model of recordings; got another")
        return rate

    def _words(self, hypothesis: Hypothesis, segment: Segment, before: float) -> tuple[Word, ...]:
        """When each word was said, ``before`` being the seconds that came earlier.

        Attention to the silence that was put behind a recording does not count.
        """
        frames = segment.frames
        source = Source.of_frames([frames], frames.shape[1]).to(self.device)
        read = self.writer.read(hypothesis)
        state = self.stepper.start(source, attention=True)
        tokens = torch.tensor([[BEGIN, *read]], device=self.device)
        weights = self.stepper.step(tokens, state)[1].attention
        if weights is None:
            raise ModelError("timings must be asked of a model with attention; got another")
        skipped = self.writer.unwritten()
        scale = len(frames) / self._rate / weights.shape[2]  # seconds of a position
        positions = max(1, math.ceil(round(segment.seconds(self._rate) / scale, 6)))
        own = weights[0, skipped:, :positions].float().cpu().numpy()
        decode = self.writer.tokenizer.decode
        found = timed_words(own, read[skipped:], decode, scale * own.shape[1], segment.sound)
        return tuple(
            replace(word, start=round(word.start + before, 3), end=round(word.end + before, 3))
            for word in found
        )
