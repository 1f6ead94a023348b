"""From sources to outputs: what all that predict have in common."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol, TypeVar

from transduce.config import SearchConfig
from transduce.errors import DataError
from transduce.reading.frames import FrameSource
from transduce.workflow.predicting.output import Output
from transduce.workflow.predicting.source_limits import shortage_explained

__all__ = ["Predictor", "explained"]

T = TypeVar("T")


class Predictor(Protocol):
    """A stepper between what reads sources and what writes outputs, of one model or several.

    Its models must be in evaluation mode.
    """

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
        ...


def explained(found: Iterator[T]) -> Iterator[T]:
    """What is found, a shortage of memory on the way explained."""
    while True:
        with shortage_explained():
            item = next(found, None)
        if item is None:
            return
        yield item
