"""From texts to texts: encode, search, decode."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from transduce.config import SearchConfig
from transduce.errors import DataError
from transduce.interfaces import Stepper
from transduce.reading.frames import FrameSource
from transduce.search import Constraints, Hypothesis, decode_all
from transduce.tokenization.joint import Coder
from transduce.workflow.predicting.alignments import aligned, positions
from transduce.workflow.predicting.details import PLAIN, Details
from transduce.workflow.predicting.output import Output, unanswered
from transduce.workflow.predicting.predictor import explained
from transduce.workflow.predicting.source_limits import UNLIMITED, SourceLimits
from transduce.workflow.predicting.source_rows import read_ahead, source_rows
from transduce.workflow.predicting.writer import Writer

__all__ = ["TextPredictor"]


@dataclass(frozen=True)
class TextPredictor:
    """A ``Predictor`` of texts."""

    stepper: Stepper[Any]
    tokenizer: Coder
    writer: Writer
    device: torch.device
    limits: SourceLimits = UNLIMITED
    details: Details = PLAIN

    def predict(
        self,
        sources: Iterable[FrameSource | DataError],
        options: SearchConfig,
        *,
        window: int = 4096,
        keep_going: bool = False,
    ) -> Iterator[list[Output]]:
        """The n-best outputs of each text; see :class:`Predictor`."""
        options = self.limits.capped(options)
        constraints = self.writer.constraints(options)
        return self._predict(iter(sources), options, constraints, window, keep_going)

    def _predict(
        self,
        sources: Iterator[FrameSource | DataError],
        options: SearchConfig,
        constraints: Constraints | None,
        window: int,
        keep_going: bool,
    ) -> Iterator[list[Output]]:
        decoded_before, details = 0, self.details
        while asked := read_ahead(sources, window):
            rows = source_rows(asked, self.tokenizer, self.writer.part, options, self.limits)
            if not keep_going:
                for row in rows:
                    if isinstance(row, DataError):
                        raise row
            full = [row for row in rows if isinstance(row, list)]
            decoded = decode_all(
                self.stepper,
                full,
                details.searching(options),
                constraints,
                device=self.device,
                window=window,
                numbers=itertools.count(decoded_before),
                retracing=details.retracing(),
            )
            decoded_before += len(full)
            answers = explained(decoded)
            for row in rows:
                if isinstance(row, DataError):
                    yield [unanswered(row)]
                elif row is None:
                    yield details.blank()
                else:
                    found = next(answers)
                    outputs = details.outputs(self.writer, found, len(row) + 1, options.nbest)
                    if details.aligner is not None:
                        outputs = self._aligned(row, outputs, found)
                    yield details.whole([outputs])

    def _aligned(
        self, row: list[int], outputs: list[Output], found: Sequence[Hypothesis]
    ) -> list[Output]:
        """The outputs of a source in symbols, with their alignments."""
        own, writer, align = self.tokenizer, self.writer, self.details.aligner
        if align is None:
            return outputs
        prefix = writer.part.data.source_prefix
        ends = len(own.encode_phrase(prefix)) if prefix else 0, len(own.closing)
        source = positions(own, row, *(ends[::-1] if own.config.right_to_left else ends))
        found_pairs = []
        for output, hypothesis in zip(outputs, found, strict=False):
            tokens = writer.read(hypothesis)
            target = positions(writer.tokenizer, tokens, writer.unwritten())
            weights = align(row, tokens, hypothesis)
            found_pairs.append(replace(output, alignments=aligned(weights, source, target)))
        return found_pairs
