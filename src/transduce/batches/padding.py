"""Rows of different lengths into one padded tensor, without a loop over tokens."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from transduce.interfaces import BEGIN, END, PADDING, Batch, Source

__all__ = ["make_batch", "make_source", "pad_source", "pad_target"]

Integers = NDArray[np.integer[Any]]


def make_source(token_lists: Sequence[Sequence[int]]) -> Source:
    """Pad the tokens of some sentences (without END) to a Source; no sentences give ``[0, 1]``."""
    return pad_source(*_flat(token_lists))


def make_batch(
    sources: Sequence[Sequence[int]],
    targets: Sequence[Sequence[int]],
    indices: Sequence[int] | None = None,
) -> Batch:
    """Pad pairs of token lists (without BEGIN and END); ``indices`` are 0, 1, … where not given."""
    if len(sources) != len(targets):
        raise ValueError(
            f"sources and targets must be as many; got {len(sources)} and {len(targets)}"
        )
    target, target_lengths = pad_target(*_flat(targets))
    numbers = range(len(sources)) if indices is None else indices
    return Batch(make_source(sources), target, target_lengths, tuple(numbers))


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


def _lengths(lengths: Integers) -> torch.Tensor:
    return torch.from_numpy(lengths.astype(np.int64))


def _padded(tokens: Integers, starts: Integers, lengths: Integers, first: int) -> NDArray[np.int64]:
    """Rows beginning in column ``first``; at least one column for them."""
    lengths = lengths.astype(np.int64)
    width = max(1, int(lengths.max(initial=1)))
    rows = np.full((len(lengths), first + width), PADDING, dtype=np.int64)
    if len(lengths):
        # Token k of the batch stands at k plus what its row's start is ahead of its place.
        ahead = starts.astype(np.int64) - (np.cumsum(lengths) - lengths)
        places = np.arange(int(lengths.sum())) + np.repeat(ahead, lengths)
        rows[:, first:][np.arange(width) < lengths[:, None]] = tokens[places]
    return rows


def _flat(token_lists: Sequence[Sequence[int]]) -> tuple[Integers, Integers, Integers]:
    lengths = np.fromiter(map(len, token_lists), dtype=np.int64, count=len(token_lists)) + 1
    with_end = chain.from_iterable((*row, END) for row in token_lists)
    tokens = np.fromiter(with_end, dtype=np.int64, count=int(lengths.sum()))
    return tokens, np.cumsum(lengths) - lengths, lengths
