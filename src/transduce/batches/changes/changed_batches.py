"""Batches that are read otherwise in each epoch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from transduce.batches.batching import Batches
from transduce.interfaces import Batch

__all__ = ["BatchChange", "ChangedBatches"]


class BatchChange(Protocol):
    """One thing that is done to every batch on its way to a model.

    What becomes of a pair hangs on the seed, the epoch and the pair's number alone, whatever batch
    the pair is in and whichever process computes it: so a run that goes on from a checkpoint
    reads what it would have read.
    """

    def __call__(self, batch: Batch, epoch: int) -> Batch:
        """The batch as the epoch (from 0) reads it; ``batch`` stays as it is."""
        ...


class ChangedBatches:
    """The batches of a corpus, changed one after the other."""

    def __init__(self, batches: Batches, changes: Sequence[BatchChange]) -> None:
        self._batches = batches
        self._changes = tuple(changes)

    def count(self, epoch: int) -> int:
        """How many batches the epoch has."""
        return self._batches.count(epoch)

    def iterate(self, epoch: int, start: int = 0, rank: int = 0, world: int = 1) -> Iterator[Batch]:
        """As ``Batches.iterate``."""
        for batch in self._batches.iterate(epoch, start, rank, world):
            for change in self._changes:
                batch = change(batch, epoch)
            yield batch
