"""What training asks for: batches with exact positions, and the scores of a dev set."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol

from transduce.interfaces import Batch

__all__ = ["BatchStream", "Score"]

# Dev metrics of a model by name, percentages as 0 to 100.
Score = Callable[[Any], dict[str, float]]


class BatchStream(Protocol):
    """Training data as the loop sees it: (epoch, batch number) is an exact position."""

    def count(self, epoch: int) -> int:
        """Number of batches in an epoch, the same for every process."""
        ...

    def iterate(self, epoch: int, start: int = 0, rank: int = 0, world: int = 1) -> Iterator[Batch]:
        """An epoch from batch ``start`` on; of each batch the share of process ``rank``."""
        ...
