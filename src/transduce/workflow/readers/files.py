"""Sources that are recordings or pictures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from transduce.batches.frame_corpus import FrameCorpus
from transduce.batches.row_readers import FrameRows, RowReader
from transduce.config import DataConfig
from transduce.config.data import InputConfig
from transduce.errors import DataError, ModelError
from transduce.image.pixels import Pixels
from transduce.interfaces import Source, Stepper
from transduce.reading.frames import FrameReader, FrameSource, read_frame_sources
from transduce.reading.parts import Part
from transduce.tokenization.joint import coder
from transduce.workflow.predicting.details import PLAIN, Details
from transduce.workflow.predicting.frame_predictor import FramePredictor
from transduce.workflow.predicting.source_limits import SourceLimits
from transduce.workflow.predicting.writer import Writer
from transduce.workflow.readers.source_reader import Cache
from transduce.workflow.tokenizer_files import SideTokenizer

__all__ = ["FileReader", "corpus_of_files"]

_SECONDS = 0.5  # between two marks on a recording


def corpus_of_files(
    rows: RowReader[Any],
    pairs: Mapping[str, Iterable[tuple[str, str]]],
    target: SideTokenizer,
    data: DataConfig,
    seed: int | None,
) -> FrameCorpus:
    """The pairs of all parts; ``seed`` asks for what training sees, changed in each epoch."""
    return FrameCorpus.build(
        list(pairs.values()),
        rows,
        [coder(target, name) for name in pairs],
        data,
        augment=seed is not None,
        seed=1 if seed is None else seed,
    )


class FileReader:
    """Files by what turns one into frames."""

    tokenizer: SideTokenizer | None = None
    stored: SideTokenizer | None = None
    second_width: int | None = None
    in_files = True

    def __init__(self, frames: FrameReader, options: InputConfig) -> None:
        """``options`` are those of the config that ``frames`` was made from."""
        self.width = frames.features
        self.frames_a_second = frames.frames_a_second
        self._frames = frames
        self._rows = FrameRows(frames)
        self._options = options

    def given(self, paths: Sequence[str], data: DataConfig) -> Iterator[str | DataError]:
        """Files, folders of such, and lists."""
        return read_frame_sources(paths, data, self._frames)

    def lengths(self, sources: Sequence[str], part: str) -> list[int]:
        """Frames of each, by its header where that tells."""
        return [self._frames.length(source) for source in sources]

    def encoded(self, source: FrameSource, part: Part) -> Source:
        """Its frames."""
        return Source.of_frames([self._frames.read(source)], self.width)

    def corpus(
        self,
        pairs: Mapping[str, Iterable[tuple[str, str]]],
        target: SideTokenizer,
        data: DataConfig,
        *,
        seed: int | None = None,
        cache: Cache | None = None,
    ) -> FrameCorpus:
        """Paths, lengths and targets in memory; files are read batch by batch."""
        return corpus_of_files(self._rows, pairs, target, data, seed)

    def predictor(
        self,
        stepper: Stepper[Any],
        writer: Writer,
        device: torch.device,
        limits: SourceLimits,
        *,
        timings: bool = False,
        details: Details = PLAIN,
    ) -> FramePredictor:
        """Timings are those of recordings."""
        if timings and self.frames_a_second is None:
            raise ModelError("timings must be asked of a model of recordings; got another")
        return FramePredictor(stepper, self._frames, writer, device, limits, timings, details)

    def labels(self, source: FrameSource, part: Part, count: int) -> list[str]:
        """A mark at every half second of a recording; nothing for a picture."""
        if self.frames_a_second is None:
            return [""] * count
        seconds = len(self._frames.read(source)) / self.frames_a_second
        ends = np.arange(1, count + 1) * seconds / count
        marks = (ends // _SECONDS).astype(int)
        new = np.diff(marks, prepend=0) > 0
        pairs = zip(marks.tolist(), new.tolist(), strict=True)
        return [f"{mark * _SECONDS:g} s" if is_new else "" for mark, is_new in pairs]

    def pixels(self, source: FrameSource) -> Pixels | None:
        """Of pictures."""
        return self._frames.seen(source)

    def fingerprint(self) -> object:
        """The options."""
        return self._options
