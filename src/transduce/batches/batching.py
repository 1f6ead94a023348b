"""Batches by a budget of tokens, in an order that only seed and epoch decide."""

from __future__ import annotations

import math
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from transduce.errors import ConfigError, DataError
from transduce.interfaces import Batch

__all__ = ["Batches", "LengthCorpus", "Plan", "prefetch"]

T = TypeVar("T")
Integers = NDArray[np.integer[Any]]
Draw = Callable[[int], NDArray[np.int64]]  # the pairs of an epoch, int64 [some]

WINDOW = 1 << 20  # pairs that are sorted by length together
MULTIPLE = 16  # larger batches have a multiple of so many rows


class LengthCorpus(Protocol):
    """What batching knows of a corpus. Lengths are ``[P]`` and count END."""

    def __len__(self) -> int: ...

    @property
    def source_lengths(self) -> Integers:
        """Tokens of each source."""
        ...

    @property
    def target_lengths(self) -> Integers:
        """Tokens of each target."""
        ...

    def batch(self, indices: Sequence[int] | Integers) -> Batch:
        """Some pairs, padded."""
        ...

    def in_epoch(self, epoch: int) -> LengthCorpus:
        """The corpus as it is in an epoch; its pairs keep their numbers and lengths."""
        ...


@dataclass(frozen=True, slots=True)
class Plan:
    """The batches of one epoch: ``plan[n]`` holds the indices of the pairs of batch n, ``[B]``."""

    order: NDArray[np.int64]
    bounds: NDArray[np.int64]
    sequence: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.sequence)

    def __getitem__(self, number: int) -> NDArray[np.int64]:
        place = self.sequence[number]
        return self.order[self.bounds[place] : self.bounds[place + 1]]


class Batches:
    """Batches of pairs of like length, every pair once an epoch, in fresh order each epoch.

    ``draw`` gives other pairs for an epoch: those of a mixture that are its share.

    A batch of B pairs keeps ``B · max(S, T) ≤ batch_tokens``, S and T its longest
    source and target with END, so neither side ever computes more positions
    than that; a pair longer than the budget is a batch of its own. More than 16 rows are a
    multiple of 16, but for the last of a window: half as many shapes for a CPU's library to
    compile kernels for and to keep them.

    Pairs are shuffled and then, in windows of a million, sorted by target
    length and within groups of like targets by source length, equal ones in
    random order; batches are cut off that line and shuffled. All of it follows
    from ``seed`` and the epoch, so (epoch, number of the batch) is an exact
    position.
    """

    def __init__(
        self, corpus: LengthCorpus, batch_tokens: int, seed: int, draw: Draw | None = None
    ) -> None:
        """Raise ConfigError where ``batch_tokens`` is below 1, DataError where no pair is there."""
        if batch_tokens < 1:
            raise ConfigError(f"batch_tokens must be at least 1; got {batch_tokens}")
        if not len(corpus):
            raise DataError("corpus must hold at least one pair to make batches of; got none")
        self.corpus = corpus
        self.batch_tokens = batch_tokens
        self.seed = seed
        self._draw = draw
        self._latest: tuple[int, Plan] | None = None

    def plan(self, epoch: int) -> Plan:
        """The batches of an epoch (from 0), the same whenever they are asked for."""
        if epoch < 0:
            raise ValueError(f"epoch must be at least 0; got {epoch}")
        if self._latest is None or self._latest[0] != epoch:
            self._latest = (epoch, self._make_plan(epoch))
        return self._latest[1]

    def count(self, epoch: int) -> int:
        """How many batches the epoch has; this may differ from epoch to epoch."""
        return len(self.plan(epoch))

    def iterate(self, epoch: int, start: int = 0, rank: int = 0, world: int = 1) -> Iterator[Batch]:
        """The batches of an epoch from number ``start`` on.

        Of each batch, process ``rank`` of ``world`` gets rows ``rank``,
        ``rank + world``, …: the shares of all processes together are the batch
        that one process alone would get. A batch of fewer rows than processes
        leaves some with a Batch of zero rows (tokens ``[0, 1]``, target
        ``[0, 2]``), so that all make equally many steps.
        """
        if not 0 <= rank < world:
            raise ValueError(f"rank must be from 0 to {world - 1}; got {rank}")
        plan = self.plan(epoch)
        if not 0 <= start <= len(plan):
            raise ValueError(f"start must be from 0 to {len(plan)} in epoch {epoch}; got {start}")
        corpus = self.corpus.in_epoch(epoch)
        return (corpus.batch(plan[n][rank::world]) for n in range(start, len(plan)))

    def _make_plan(self, epoch: int) -> Plan:
        chance = np.random.Generator(np.random.PCG64([self.seed % 2**64, epoch]))
        order = chance.permutation(self._draw(epoch) if self._draw else len(self.corpus))
        source, target = self.corpus.source_lengths, self.corpus.target_lengths
        bounds = [np.zeros(1, dtype=np.int64)]
        for start in range(0, len(order), WINDOW):
            window = order[start : start + WINDOW]
            window[:] = window[_by_length(source[window], target[window], self.batch_tokens)]
            longest = np.maximum(source[window], target[window])
            bounds.append(start + _ends(longest.astype(np.int64), self.batch_tokens))
        edges = np.concatenate(bounds)
        return Plan(order, edges, chance.permutation(len(edges) - 1))


def _by_length(source: Integers, target: Integers, budget: int) -> NDArray[np.intp]:
    """An order in which neighbours need little padding on both sides.

    Groups grow with the root of the number of batches, so that both lengths
    vary about equally little within a batch; every other group runs backwards,
    so that no batch straddles short and long sources.
    """
    order = np.argsort(target, kind="stable")
    spent = np.cumsum(np.maximum(source, target)[order], dtype=np.int64)
    batches_a_group = max(1.0, 0.5 * math.sqrt(spent[-1] / budget))
    group = (spent / (budget * batches_a_group)).astype(np.int64)
    lengths = source[order].astype(np.int64)
    return order[np.lexsort((np.where(group % 2, -lengths, lengths), group))]


def _ends(longest: NDArray[np.int64], budget: int) -> NDArray[np.int64]:
    """Where to cut a line of pairs: pieces as large as the budget and the multiple allow."""
    ends = []
    start = 0
    while start < len(longest):
        room = budget // longest[start] + 1
        widths = np.maximum.accumulate(longest[start : start + room])
        cost = widths * np.arange(1, len(widths) + 1)
        rows = max(1, int(np.searchsorted(cost, budget, side="right")))
        if rows > MULTIPLE and start + rows < len(longest):
            rows -= rows % MULTIPLE
        start += rows
        ends.append(start)
    return np.array(ends, dtype=np.int64)


# ---------------------------------------------------------------- ahead of time


def prefetch(items: Iterator[T], depth: int = 2) -> Iterator[T]:
    """Make up to ``depth`` items ahead in a thread; order and errors are those of ``items``.

    The thread ends with the iterator, also where it is closed half-way.
    """
    if depth < 1:
        raise ValueError(f"depth must be at least 1; got {depth}")
    return _ahead(items, depth)


def _ahead(items: Iterator[T], depth: int) -> Iterator[T]:
    ready: queue.Queue[tuple[T] | BaseException | None] = queue.Queue(depth)
    stopped = threading.Event()

    def put(entry: tuple[T] | BaseException | None) -> None:
        while not stopped.is_set():
            try:
                return ready.put(entry, timeout=0.1)
            except queue.Full:
                continue

    def work() -> None:
        try:
            for item in items:
                put((item,))
                if stopped.is_set():
                    return
            put(None)
        except BaseException as error:  # raised again where the items are used
            put(error)

    thread = threading.Thread(target=work, name="prefetch", daemon=True)
    thread.start()
    try:
        while (entry := ready.get()) is not None:
            if isinstance(entry, BaseException):
                raise entry
            yield entry[0]
    finally:
        stopped.set()
        thread.join()
