"""Sources that are text."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import torch

from transduce.batches.encoded_corpus import EncodedCorpus, TextPairs
from transduce.config import DataConfig
from transduce.errors import DataError, ModelError
from transduce.interfaces import Source, Stepper
from transduce.reading.frames import FrameSource
from transduce.reading.parts import Part
from transduce.reading.sources import sources_or_errors, standard_input
from transduce.tokenization.joint import coder
from transduce.training.distributed import launched_processes
from transduce.workflow.predicting.details import PLAIN, Details
from transduce.workflow.predicting.source_limits import SourceLimits
from transduce.workflow.predicting.text_predictor import TextPredictor
from transduce.workflow.predicting.writer import Writer
from transduce.workflow.readers.source_reader import Cache
from transduce.workflow.tokenizer_files import SideTokenizer

__all__ = ["TextReader"]

_END = "end"  # of a source, in pictures
_PAUSE = 0.5  # seconds between two looks


class TextReader:
    """Texts by a tokenizer, or by those of a mixture's parts."""

    frames_a_second: float | None = None
    in_files = False
    second_width: int | None = None

    def __init__(self, tokenizer: SideTokenizer) -> None:
        self.tokenizer: SideTokenizer | None = tokenizer
        self.stored: SideTokenizer | None = tokenizer
        self.width = tokenizer.size
        self._tokenizer = tokenizer

    def given(self, paths: Sequence[str], data: DataConfig) -> Iterator[str | DataError]:
        """Each record of each file."""
        streams = (standard_input() if path == "-" else path for path in paths)
        return itertools.chain.from_iterable(sources_or_errors(s, data) for s in streams)

    def lengths(self, sources: Sequence[str], part: str) -> list[int]:
        """Symbols of each, END not counted."""
        return [len(row) for row in coder(self._tokenizer, part).encode_batch(sources)]

    def encoded(self, source: FrameSource, part: Part) -> Source:
        """With the tags of its part."""
        return Source.of_tokens([self._encode(source, part)])

    def corpus(
        self,
        pairs: Mapping[str, Iterable[tuple[str, str]]],
        target: SideTokenizer,
        data: DataConfig,
        *,
        seed: int | None = None,
        cache: Cache | None = None,
    ) -> EncodedCorpus:
        """In memory, or in a cache, which the first of several processes writes."""
        folder, fingerprint = (cache.folder, cache.fingerprint) if cache else (None, "")
        if folder is not None:
            sizes = (self.width, target.size)
            while (known := EncodedCorpus.open(folder, fingerprint, sizes)) is None:
                if launched_processes()[0] == 0:
                    break
                time.sleep(_PAUSE)  # the first process is writing it
            else:
                return known
        texts = [
            TextPairs(own, coder(self._tokenizer, name), coder(target, name))
            for name, own in pairs.items()
        ]
        return EncodedCorpus.build_mixture(texts, data, folder, fingerprint)

    def predictor(
        self,
        stepper: Stepper[Any],
        writer: Writer,
        device: torch.device,
        limits: SourceLimits,
        *,
        timings: bool = False,
        details: Details = PLAIN,
    ) -> TextPredictor:
        """Of one part; texts have no timings."""
        if timings:
            raise ModelError("timings must be asked of a model of recordings; got another")
        own = coder(self._tokenizer, writer.part.name)
        return TextPredictor(stepper, own, writer, device, limits, details)

    def labels(self, source: FrameSource, part: Part, count: int) -> list[str]:
        """Its symbols, unknown ones as they stand in it, and its end."""
        own = coder(self._tokenizer, part.name)
        return [*own.written(part.source(str(source))), _END]

    def pixels(self, source: FrameSource) -> None:
        """None: nothing is seen."""

    def fingerprint(self) -> object:
        """All tokenizers as JSON."""
        return self._tokenizer.to_json()

    def _encode(self, source: FrameSource, part: Part) -> list[int]:
        return coder(self._tokenizer, part.name).encode(part.source(str(source)))
