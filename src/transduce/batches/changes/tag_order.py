"""Tags in several orders: what a model must not learn is where in the list one stands."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from transduce.batches.changes.chance_of_pairs import random_bits
from transduce.interfaces import Batch

__all__ = ["TagOrder", "shuffle_tags"]


class TagOrder:
    """Shuffles the tags that stand side by side in a source.

    Each pair has so many orders, its own first among them, and epochs take them in turn. The tag
    of a mixture's part stays in front.
    """

    def __init__(self, first_tag: int, orders: int, seed: int, fixed: Collection[int] = ()) -> None:
        """Tokens from ``first_tag`` on are tags, ``fixed`` those that stay where they are."""
        self._first_tag = first_tag
        self._orders = orders
        self._seed = seed
        self._fixed = np.array(sorted(fixed), dtype=np.int64)

    def __call__(self, batch: Batch, epoch: int) -> Batch:
        """The batch in the epoch's order."""
        order = epoch % self._orders
        if order == 0:
            return batch
        tokens = batch.source.tokens
        chance = random_bits(self._seed, order, batch.indices, tokens.shape[1])
        shuffled = shuffle_tags(tokens, self._first_tag, chance, self._fixed)
        return replace(batch, source=replace(batch.source, values=shuffled))


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
