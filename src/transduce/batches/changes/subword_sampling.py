"""Subword regularization: texts in other pieces in every epoch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from random import Random
from typing import Protocol

from torch import Tensor

from transduce.batches.changes.chance_of_pairs import chance_of_pair
from transduce.interfaces import BEGIN, Batch, Source

__all__ = ["RowSampler", "SampledSources", "SampledTargets", "rows_of"]


class RowSampler(Protocol):
    """Cuts the text of a row of symbols anew."""

    def sample(self, row: Sequence[int], chance: Random) -> list[int]:
        """Other symbols of the same text, without BEGIN and END."""
        ...


class SampledSources:
    """Cuts sources anew. Batches keep their pairs, and so grow with the pieces of these."""

    def __init__(self, sampler: RowSampler, seed: int, longest: int | None = None) -> None:
        """A row that would be longer than ``longest``, END counted, stays as it is."""
        self._sampler, self._seed, self._longest = sampler, seed, longest

    def __call__(self, batch: Batch, epoch: int) -> Batch:
        """The batch as the epoch cuts its sources."""
        source = batch.source
        rows = [
            self._cut(row, chance_of_pair(self._seed, epoch, index, 0))
            for row, index in zip(
                rows_of(source.tokens, source.lengths), batch.indices, strict=True
            )
        ]
        return replace(batch, source=Source.of_tokens(rows))

    def _cut(self, row: list[int], chance: Random) -> list[int]:
        return _within(self._sampler.sample(row, chance), row, self._longest)


class SampledTargets:
    """Cuts targets anew; otherwise as :class:`SampledSources`."""

    def __init__(self, sampler: RowSampler, seed: int, longest: int | None = None) -> None:
        self._sampler, self._seed, self._longest = sampler, seed, longest

    def __call__(self, batch: Batch, epoch: int) -> Batch:
        """The batch as the epoch cuts its targets."""
        if not batch.indices:
            return batch
        rows = []
        old = rows_of(batch.target[:, 1:], batch.target_lengths)
        for row, index in zip(old, batch.indices, strict=True):
            chance = chance_of_pair(self._seed, epoch, index, 1)
            rows.append(_within(self._sampler.sample(row, chance), row, self._longest))
        target = Source.of_tokens([[BEGIN, *row] for row in rows])
        return replace(batch, target=target.values, target_lengths=target.lengths - 1)


def rows_of(tokens: Tensor, lengths: Tensor) -> Iterator[list[int]]:
    """Rows without END, of int64 ``[B, S]`` and lengths that count it."""
    for row, length in zip(tokens.tolist(), lengths.tolist(), strict=True):
        yield row[: length - 1]


def _within(new: list[int], old: list[int], longest: int | None) -> list[int]:
    return new if longest is None or len(new) < longest else old
