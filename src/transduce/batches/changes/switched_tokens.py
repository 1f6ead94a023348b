"""Source tokens that are hidden, or others in their place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from transduce.batches.changes.chance_of_pairs import random_bits
from transduce.interfaces import END, UNKNOWN, Batch

__all__ = ["HiddenTokens", "SwitchOut"]

_EVEN = 2.0**-53  # of the upper 53 of 64 random bits


class HiddenTokens:
    """Replaces a share of a source's tokens by UNKNOWN (word dropout, Iyyer et al. 2015)."""

    def __init__(self, share: float, first_tag: int, seed: int) -> None:
        """Tokens from ``first_tag`` on are tags, which stay."""
        self._share, self._first_tag, self._seed = share, first_tag, seed

    def __call__(self, batch: Batch, epoch: int) -> Batch:
        """The batch as the epoch hides its tokens."""
        tokens = batch.source.tokens.numpy()
        chance = _even(self._seed, epoch, batch.indices, tokens.shape[1], 0)
        hidden = _plain(tokens, self._first_tag) & (chance < self._share)
        return _with_tokens(batch, np.where(hidden, UNKNOWN, tokens))


class SwitchOut:
    """Replaces n of a source's tokens by others (Wang et al. 2018, section 3).

    ``p(n) ∝ exp(-n / τ)`` for n from 0 to the number of its tokens; where they stand and what they
    become is drawn evenly. Tags and END stay.
    """

    def __init__(self, temperature: float, first_tag: int, seed: int) -> None:
        """``temperature`` is τ, above 0; tokens from ``first_tag`` on are tags."""
        self._temperature, self._first_tag, self._seed = temperature, first_tag, seed

    def __call__(self, batch: Batch, epoch: int) -> Batch:
        """The batch as the epoch switches its tokens."""
        tokens = batch.source.tokens.numpy()
        rows, width = tokens.shape
        first, last = END + 1, self._first_tag
        if not rows or last <= first:
            return batch
        drawn = [_even(self._seed, epoch, batch.indices, width, use) for use in (1, 2)]
        plain = _plain(tokens, last)
        count = self._counts(plain.sum(1), _even(self._seed, epoch, batch.indices, 1, 3)[:, 0])
        # The least random numbers of a row say where.
        ranks = np.where(plain, drawn[0], 2.0).argsort(1, kind="stable").argsort(1, kind="stable")
        others = first + (drawn[1] * (last - first)).astype(np.int64)
        return _with_tokens(batch, np.where(ranks < count[:, None], others, tokens))

    def _counts(self, lengths: NDArray[np.int64], chance: NDArray[np.float64]) -> NDArray[np.int64]:
        """How many of each row's tokens, ``[B]``: a geometric number that ends with the row.

        With ``q = exp(-1/τ)`` it is n or less with probability ``(1 - q^(n+1)) / (1 - q^(L+1))``.
        """
        ratio = 1 / self._temperature
        whole = -np.expm1(-ratio * (lengths + 1))
        found = np.floor(-np.log1p(-chance * whole) / ratio)
        counts: NDArray[np.int64] = np.minimum(found, lengths).astype(np.int64)
        return counts


def _plain(tokens: NDArray[np.int64], first_tag: int) -> NDArray[np.bool_]:
    """Where neither a special symbol nor a tag stands."""
    found: NDArray[np.bool_] = ((tokens > END) | (tokens == UNKNOWN)) & (tokens < first_tag)
    return found


def _even(
    seed: int, epoch: int, indices: Sequence[int], width: int, use: int
) -> NDArray[np.float64]:
    """Even numbers in ``[0, 1)``, ``[B, S]``, other ones for each use and epoch."""
    bits = random_bits(seed, 1 + 4 * epoch + use, indices, width)
    numbers: NDArray[np.float64] = (bits >> np.uint64(11)).astype(np.float64) * _EVEN
    return numbers


def _with_tokens(batch: Batch, tokens: NDArray[np.int64]) -> Batch:
    return replace(batch, source=replace(batch.source, values=torch.from_numpy(tokens)))
