"""Tags in several orders: what a model must not learn is where in the list one stands."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from transduce.batches.batching import Batches
from transduce.interfaces import Batch

__all__ = ["ShuffledTags", "shuffle_tags"]

# Odd constants of SplitMix64 (Steele et al. 2014) and of xxHash.
_GAMMA, _FIRST, _SECOND = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
_FACTORS = (0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9)


class ShuffledTags:
    """Batches in which the tags that stand side by side in a source are shuffled.

    Each pair has so many orders, its own first among them, and epochs take them in turn. An order
    follows from its number, the seed and the pair's number alone, whatever batch the pair is in
    and whichever process computes it. The tag of a mixture's part stays in front.
    """

    def __init__(
        self,
        batches: Batches,
        first_tag: int,
        orders: int,
        seed: int,
        fixed: Collection[int] = (),
    ) -> None:
        """Tokens from ``first_tag`` on are tags, ``fixed`` those that stay where they are."""
        self._batches = batches
        self._first_tag = first_tag
        self._orders = orders
        self._seed = seed
        self._fixed = np.array(sorted(fixed), dtype=np.int64)

    def count(self, epoch: int) -> int:
        """How many batches the epoch has."""
        return self._batches.count(epoch)

    def iterate(self, epoch: int, start: int = 0, rank: int = 0, world: int = 1) -> Iterator[Batch]:
        """As ``Batches.iterate``."""
        order = epoch % self._orders
        batches = self._batches.iterate(epoch, start, rank, world)
        if order == 0:
            yield from batches
            return
        for batch in batches:
            tokens = batch.source.tokens
            chance = _chance(self._seed, order, batch.indices, tokens.shape[1])
            shuffled = shuffle_tags(tokens, self._first_tag, chance, self._fixed)
            yield replace(batch, source=replace(batch.source, values=shuffled))


def shuffle_tags(
    tokens: Tensor,
    first_tag: int,
    chance: NDArray[np.uint64],
    fixed: NDArray[np.int64] | None = None,
) -> Tensor:
    """Int64 ``[B, S]`` with each run of tags in the order of ``chance`` ``[B, S]``.

    Tokens that are ``fixed`` are no tags here and end a run.
    """
    values = tokens.numpy()
    is_tag = values >= first_tag
    if fixed is not None and len(fixed):
        is_tag &= ~np.isin(values, fixed)
    goes_on = is_tag.copy()
    goes_on[:, :1] = False
    goes_on[:, 1:] &= is_tag[:, :-1]
    places = np.where(goes_on, 0, np.arange(values.shape[1], dtype=np.uint64))
    starts = np.maximum.accumulate(places, axis=1).astype(np.uint64)
    keys = (starts << np.uint64(32)) | np.where(is_tag, chance >> np.uint64(32), np.uint64(0))
    order = np.argsort(keys, axis=1, kind="stable")
    return torch.from_numpy(np.take_along_axis(values, order, axis=1))


def _chance(seed: int, order: int, indices: tuple[int, ...], width: int) -> NDArray[np.uint64]:
    """Uniform numbers ``[B, S]`` of 64 bits, each a hash of where it belongs."""
    rows = np.array(indices, dtype=np.uint64).reshape(-1, 1)
    columns = np.arange(width, dtype=np.uint64)
    mask = (1 << 64) - 1
    base = np.uint64((seed * _FACTORS[0] + order * _FACTORS[1] + _GAMMA) & mask)
    state = base + rows * np.uint64(_FACTORS[2]) + columns * np.uint64(_GAMMA)
    state = (state ^ (state >> np.uint64(30))) * np.uint64(_FIRST)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(_SECOND)
    mixed: NDArray[np.uint64] = state ^ (state >> np.uint64(31))
    return mixed
