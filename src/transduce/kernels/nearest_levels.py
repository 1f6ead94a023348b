"""Weights rounded to levels, group by group: which scale is best, which level is nearest."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad

from transduce.errors import EngineError
from transduce.kernels.border import raise_refusal
from transduce.kernels.levels import GROUP
from transduce.kernels.library import has_library, load_library

__all__ = ["nearest_levels"]

_LEVELS = 16
_SUMS = 8  # of a group, each of every eighth number
_GROUPS_AT_ONCE = 1 << 12  # more would not stay in the processor's caches


def nearest_levels(rows: Tensor, scales: Tensor, levels: Tensor) -> tuple[Tensor, Tensor]:
    """For each group of 32 numbers of a row the scale of least squared error, and codes.

    ``rows`` ``[N, K]`` and ``scales`` ``[N, G, T]`` are float32; number k is about
    ``scales[k // 32, best] · levels[code]``, ``levels`` being 16 that rise. Gives codes uint8
    ``[N, K]`` and the places of the best scales int64 ``[N, G]``; the first of equals. With
    kernels and without the same, bit by bit. Raises EngineError where sizes do not agree.
    """
    N, count = len(rows), -(-rows.shape[1] // GROUP)
    if scales.shape[:2] != (N, count) or levels.shape != (_LEVELS,):
        raise EngineError(f"scales must be [{N}, {count}, T] of 16 levels; got {scales.shape}")
    if rows.device.type == "cpu" and has_library():
        return _native(rows, scales, levels)
    each, levels = max(1, _GROUPS_AT_ONCE // count), levels.to(rows.device)
    found = [
        _searched(rows[first : first + each], scales[first : first + each], levels)
        for first in range(0, N, each)
    ]
    codes, best = zip(*found, strict=True)
    return torch.cat(codes), torch.cat(best)


def _native(rows: Tensor, scales: Tensor, levels: Tensor) -> tuple[Tensor, Tensor]:
    rows, scales, levels = rows.contiguous(), scales.contiguous(), levels.contiguous()
    codes = torch.empty(rows.shape, dtype=torch.uint8)
    best = torch.empty(scales.shape[:2], dtype=torch.int64)
    functions = load_library().functions
    if functions.round_groups(
        torch.get_num_threads(), rows.data_ptr(), *rows.shape, scales.data_ptr(), scales.shape[2],
        levels.data_ptr(), codes.data_ptr(), best.data_ptr(),
    ):  # fmt: skip
        raise_refusal(functions)
    return codes, best


def _searched(rows: Tensor, scales: Tensor, levels: Tensor) -> tuple[Tensor, Tensor]:
    (N, K), borders = rows.shape, (levels[1:] + levels[:-1]) / 2
    groups = pad(rows, (0, -K % GROUP)).view(N, -1, GROUP)  # [N, G, 32]
    real = pad(rows.new_ones(K), (0, -K % GROUP)).view(-1, GROUP)  # [G, 32]
    least = groups.new_full(groups.shape[:2], torch.inf, dtype=torch.float64)
    best = torch.zeros_like(least, dtype=torch.int64)
    for place in range(scales.shape[2]):
        scale = scales[:, :, place, None]
        near = levels[torch.bucketize(groups / scale, borders)]
        distances = ((near.double() * scale.double() - groups.double()).float() * real).double()
        parts = distances.square().view(*groups.shape[:2], -1, _SUMS)  # [N, G, 4, 8]
        sums = ((parts[:, :, 0] + parts[:, :, 1]) + parts[:, :, 2]) + parts[:, :, 3]
        for half in (4, 2, 1):
            sums = sums[..., :half] + sums[..., half : 2 * half]
        better = sums[..., 0] < least
        least, best = torch.where(better, sums[..., 0], least), best.masked_fill(better, place)
    chosen = scales.gather(2, best[:, :, None])
    codes = torch.bucketize(groups / chosen, borders).to(torch.uint8)
    return codes.flatten(1)[:, :K].contiguous(), best
