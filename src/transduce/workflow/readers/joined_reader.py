"""Sources with two inputs: a recording or a picture, and beside it a text or another file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from transduce.batches.frame_corpus import FrameCorpus
from transduce.batches.row_readers import FrameRows, JoinedRows, RowReader, TextRows
from transduce.config import Config, DataConfig
from transduce.errors import DataError, ModelError
from transduce.image.pixels import Pixels
from transduce.interfaces import Source, Stepper
from transduce.reading.frames import FrameReader, FrameSource, file_check, inputs_of
from transduce.reading.parts import Part
from transduce.reading.sources import sources_or_errors
from transduce.tokenization.joint import coder
from transduce.workflow.predicting.details import PLAIN, Details
from transduce.workflow.predicting.source_limits import SourceLimits
from transduce.workflow.predicting.writer import Writer
from transduce.workflow.readers.files import corpus_of_files
from transduce.workflow.readers.joined_predictor import JoinedPredictor
from transduce.workflow.readers.source_reader import Cache
from transduce.workflow.tokenizer_files import JoinedSide, SideTokenizer

__all__ = ["JoinedReader"]


class JoinedReader:
    """Two inputs by what reads each. As strings they stand with a tab between them."""

    tokenizer: SideTokenizer | None = None  # which would read the whole source
    frames_a_second: float | None = None
    in_files = True

    def __init__(self, side: JoinedSide, config: Config) -> None:
        """``config`` is what the side was made from."""
        self.width = side.first.features
        self.stored: SideTokenizer | None = None
        second: RowReader[Any]
        if isinstance(side.second, FrameReader):
            self.second_width: int | None = side.second.features
            second = FrameRows(side.second)
        else:
            self.stored = side.second
            self.second_width = side.second.size
            second = TextRows(coder(side.second, ""))
        self._rows = JoinedRows(FrameRows(side.first), second)
        self._frames = side.first
        self._config = config

    def given(self, paths: Sequence[str], data: DataConfig) -> Iterator[str | DataError]:
        """Files whose records have both inputs, relative paths taken from the file's folder."""
        check = file_check(data)
        for path in paths:
            folder = Path() if path == "-" else Path(path).parent
            if Path(path).suffix.lower() in self._frames.suffixes:
                raise DataError(
                    "INPUT must be a file whose records have both inputs of a source, or - with "
                    f"a tab between them; got one input alone, {path}"
                )
            for number, source in enumerate(sources_or_errors(path, data), 1):
                if isinstance(source, DataError) or check is None:
                    yield source
                elif source.strip():
                    yield check.located(source, folder)
                else:
                    message = "line must have the two inputs of a source; got nothing"
                    yield DataError(message, file=path, line=number)

    def lengths(self, sources: Sequence[str], part: str) -> list[int]:
        """Frames and tokens of both inputs together."""
        return [self._rows.length(source) for source in sources]

    def encoded(self, source: FrameSource, part: Part) -> Source:
        """Both inputs."""
        return self._rows.padded([self._rows.read(source)])

    def corpus(
        self,
        pairs: Mapping[str, Iterable[tuple[str, str]]],
        target: SideTokenizer,
        data: DataConfig,
        *,
        seed: int | None = None,
        cache: Cache | None = None,
    ) -> FrameCorpus:
        """Sources, lengths and targets in memory; files are read batch by batch."""
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
    ) -> JoinedPredictor:
        """There are no timings."""
        if timings:
            raise ModelError("timings must be asked of a model of recordings alone; got another")
        return JoinedPredictor(
            stepper, self._rows, writer, device, (limits, self._second_limits(device)), details
        )

    def labels(self, source: FrameSource, part: Part, count: int) -> list[str]:
        """Nothing: positions of both inputs follow each other."""
        return [""] * count

    def pixels(self, source: FrameSource) -> Pixels | None:
        """Of the first input."""
        return self._frames.seen(inputs_of(source)[0])

    def fingerprint(self) -> object:
        """The options, and the tokenizer as JSON."""
        stored = None if self.stored is None else self.stored.to_json()
        return self._config.data.inputs, stored

    def _second_limits(self, device: torch.device) -> SourceLimits:
        sizes = self.second_width or 1, 1
        return SourceLimits.of(self._config.model.of_beside, sizes, device, native=False)
