"""What reads a model's sources, whatever they are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch

from transduce.batches.encoded_corpus import EncodedCorpus
from transduce.batches.frame_corpus import FrameCorpus
from transduce.config import DataConfig
from transduce.errors import DataError
from transduce.image.pixels import Pixels
from transduce.interfaces import Source, Stepper
from transduce.reading.frames import FrameSource
from transduce.reading.parts import Part
from transduce.workflow.predicting.details import PLAIN, Details
from transduce.workflow.predicting.predictor import Predictor
from transduce.workflow.predicting.source_limits import SourceLimits
from transduce.workflow.predicting.writer import Writer
from transduce.workflow.tokenizer_files import SideTokenizer

__all__ = ["Cache", "Corpus", "SourceReader"]

Corpus = EncodedCorpus | FrameCorpus


@dataclass(frozen=True)
class Cache:
    """Where a corpus that is large is kept between runs, and what it must be of."""

    folder: Path
    fingerprint: str


class SourceReader(Protocol):
    """Texts, recordings, pictures or two of these, from what a person gives to what a model reads.

    Sources are strings in files of pairs: texts, or the paths of recordings and pictures. A
    ``part`` of a mixture has its own tags, and perhaps its own tokenizer.
    """

    width: int  # symbols of the vocabulary, or numbers of a frame; of two inputs the first's
    second_width: int | None  # of the second input, where a source has two
    tokenizer: SideTokenizer | None  # of texts; None for other sources
    stored: SideTokenizer | None  # what a model directory holds of it beside the config
    frames_a_second: float | None  # of recordings
    in_files: bool  # whether a source is a file, and read anew each time

    def given(self, paths: Sequence[str], data: DataConfig) -> Iterator[str | DataError]:
        """What is to be predicted, as it is named at the terminal; ``-`` is standard input.

        An error stands in the place of what cannot be a source. Raises DataError where a list or
        a folder cannot be read.
        """
        ...

    def lengths(self, sources: Sequence[str], part: str) -> list[int]:
        """Tokens or frames of each source. Raises DataError."""
        ...

    def encoded(self, source: FrameSource, part: Part) -> Source:
        """One source as a batch of one. Raises DataError."""
        ...

    def corpus(
        self,
        pairs: Mapping[str, Iterable[tuple[str, str]]],
        target: SideTokenizer,
        data: DataConfig,
        *,
        seed: int | None = None,
        cache: Cache | None = None,
    ) -> Corpus:
        """The pairs of each part, ready for batches; the targets are ``target``'s.

        ``seed`` asks for what training sees, which may be changed in each epoch.
        """
        ...

    def predictor(
        self,
        stepper: Stepper[Any],
        writer: Writer,
        device: torch.device,
        limits: SourceLimits,
        *,
        timings: bool = False,
        details: Details = PLAIN,
    ) -> Predictor:
        """What answers sources. Raises ModelError where there are no timings to be had."""
        ...

    def labels(self, source: FrameSource, part: Part, count: int) -> list[str]:
        """What each of ``count`` positions of a memory stands for: a symbol, a time, nothing."""
        ...

    def pixels(self, source: FrameSource) -> Pixels | None:
        """What is seen of a source, uint8 ``[Y, X, C]``; None where nothing is."""
        ...

    def fingerprint(self) -> object:
        """Equal for two models that read alike."""
        ...
