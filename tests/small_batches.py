"""Batches for training, from lists of tokens; what is counted in them."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from transduce.interfaces import BEGIN, Batch, Source

__all__ = ["make_batch", "padded_tokens", "real_tokens"]


def make_batch(
    sources: Sequence[Sequence[int]],
    targets: Sequence[Sequence[int]],
    indices: Sequence[int] | None = None,
) -> Batch:
    """Pad pairs of token lists (without BEGIN and END); ``indices`` are 0, 1, … where not given."""
    rows = Source.of_tokens([[BEGIN, *target] for target in targets])
    numbers = range(len(sources)) if indices is None else indices
    target = rows.values if targets else torch.empty(0, 2, dtype=torch.int64)
    return Batch(Source.of_tokens(sources), target, rows.lengths - 1, tuple(numbers))


def real_tokens(batch: Batch) -> tuple[int, int]:
    """Source tokens (or frames) and target tokens, no padding (END counted, BEGIN not)."""
    return int(batch.source.lengths.sum()), int(batch.target_lengths.sum())


def padded_tokens(batch: Batch) -> tuple[int, int]:
    """Source and target positions that are computed, padding included."""
    return batch.source.mask.numel(), batch.target_output.numel()
