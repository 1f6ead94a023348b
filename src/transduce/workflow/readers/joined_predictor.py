"""From sources with two inputs to texts: read, search, decode."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import torch

from transduce.batches.batching import prefetch
from transduce.batches.row_readers import JoinedRows
from transduce.config import SearchConfig
from transduce.errors import ConfigError, DataError
from transduce.interfaces import JoinedRow, Stepper
from transduce.reading.frames import FrameSource
from transduce.search import Constraints, decode_all
from transduce.search.batches import row_length
from transduce.workflow.predicting.details import PLAIN, Details
from transduce.workflow.predicting.output import Output, unanswered
from transduce.workflow.predicting.predictor import explained
from transduce.workflow.predicting.source_limits import UNLIMITED, SourceLimits
from transduce.workflow.predicting.writer import Writer

__all__ = ["JoinedPredictor"]

_AHEAD = 16  # sources that are read while others are decoded


@dataclass(frozen=True)
class JoinedPredictor:
    """A ``Predictor`` of sources with two inputs; ``limits`` are those of each."""

    stepper: Stepper[Any]
    rows: JoinedRows
    writer: Writer
    device: torch.device
    limits: tuple[SourceLimits, SourceLimits] = (UNLIMITED, UNLIMITED)
    details: Details = PLAIN

    def predict(
        self,
        sources: Iterable[FrameSource | DataError],
        options: SearchConfig,
        *,
        window: int = 4096,
        keep_going: bool = False,
    ) -> Iterator[list[Output]]:
        """The n-best outputs of each source; see :class:`Predictor`. None of them is cut."""
        if options.max_source_length is not None:
            raise ConfigError(
                "search.max_source_length must be none where a source has two inputs; got "
                f"{options.max_source_length}"
            )
        options = self.limits[0].capped(options)
        constraints = self.writer.constraints(options)
        read = self._read(sources, keep_going)
        ahead = prefetch(read, _AHEAD) if window > 1 else read
        return self._predict(ahead, options, constraints, window)

    def _predict(
        self,
        read: Iterator[JoinedRow | DataError],
        options: SearchConfig,
        constraints: Constraints | None,
        window: int,
    ) -> Iterator[list[Output]]:
        # What was read and is not answered yet: lengths, and errors in the place of sources.
        waiting: deque[int | DataError] = deque()
        found = decode_all(
            self.stepper,
            _noted(read, waiting),
            self.details.searching(options),
            constraints,
            device=self.device,
            window=window,
            retracing=self.details.retracing(),
        )
        for hypotheses in explained(found):
            while isinstance(length := waiting.popleft(), DataError):
                yield [unanswered(length)]
            outputs = self.details.outputs(self.writer, hypotheses, length, options.nbest)
            yield self.details.whole([outputs])
        for error in waiting:
            if isinstance(error, DataError):
                yield [unanswered(error)]

    def _read(
        self, sources: Iterable[FrameSource | DataError], keep_going: bool
    ) -> Iterator[JoinedRow | DataError]:
        """Each source; an error in its place or, without ``keep_going``, raised."""
        for source in sources:
            try:
                if isinstance(source, DataError):
                    raise source
                row = self.rows.read(source)
                for limits, own in zip(self.limits, row, strict=True):
                    limits.check(row_length(own))
                yield row
            except DataError as error:
                if not keep_going:
                    raise
                yield error


def _noted(
    read: Iterator[JoinedRow | DataError], waiting: deque[int | DataError]
) -> Iterator[JoinedRow]:
    """What is decoded; its length, or the error, is in ``waiting`` before it is given."""
    for row in read:
        if isinstance(row, DataError):
            waiting.append(row)
        else:
            waiting.append(row_length(row))
            yield row
