"""Rows of different lengths into one padded tensor, without a loop over tokens."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from transduce.interfaces import BEGIN, PADDING, Source

__all__ = ["pad_source", "pad_target", "row_places"]

Integers = NDArray[np.integer[Any]]


def pad_source(tokens: Integers, starts: Integers, lengths: Integers) -> Source:
    """Source of rows ``tokens[start : start + length]``, END being their last token.

    ``tokens`` ``[N]`` may be memory-mapped; ``starts`` and ``lengths`` are ``[B]``.
    """
    rows = _padded(tokens, starts, lengths, 0)
    return Source(torch.from_numpy(rows), _lengths(lengths))


def pad_target(
    tokens: Integers, starts: Integers, lengths: Integers
) -> tuple[torch.Tensor, torch.Tensor]:
    """Target ``[B, T + 1]`` with BEGIN in front of the same kind of rows, and lengths ``[B]``."""
    rows = _padded(tokens, starts, lengths, 1)
    rows[:, 0] = BEGIN
    return torch.from_numpy(rows), _lengths(lengths)


def row_places(starts: Integers, lengths: Integers) -> NDArray[np.int64]:
    """Where the numbers of all rows ``start : start + length`` stand, row after row."""
    # Number k of all stands at k plus what its row's start is ahead of its place.
    ahead = starts.astype(np.int64) - (np.cumsum(lengths) - lengths)
    places: NDArray[np.int64] = np.arange(int(lengths.sum())) + np.repeat(ahead, lengths)
    return places


def _lengths(lengths: Integers) -> torch.Tensor:
    return torch.from_numpy(lengths.astype(np.int64))


def _padded(tokens: Integers, starts: Integers, lengths: Integers, first: int) -> NDArray[np.int64]:
    """Rows beginning in column ``first``; at least one column for them."""
    lengths = lengths.astype(np.int64)
    width = max(1, int(lengths.max(initial=1)))
    rows = np.full((len(lengths), first + width), PADDING, dtype=np.int64)
    if len(lengths):
        real = np.arange(width) < lengths[:, None]
        rows[:, first:][real] = tokens[row_places(starts, lengths)]
    return rows
