"""int4: groups of a row's numbers, each over a scale of its own."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad

from transduce.compress.rows import InMemory, Int8Rows, Readable

__all__ = ["GROUP", "Int4Groups"]

GROUP = 32  # numbers that share a scale
_LEAST, _MOST = -8, 7
_TRIED = torch.linspace(0.7, 1.0, 13)  # of the largest size: what is above is cut
_LEAST_SCALE = 2.0**-14  # the smallest that float16 holds with all its digits


@dataclass(frozen=True)
class Int4Groups:
    """Number k of a row is ``scales[k // 32] · (code - 8)``.

    Codes 0 to 15, two a byte ``[N, ⌈K / 2⌉]`` (the first in the lower half), scales float16
    ``[N, ⌈K / 32⌉]``; ``shape`` is that of the floats, ``[N, …]``.
    """

    shape: tuple[int, ...]
    codes: Readable
    scales: Tensor

    @classmethod
    def of(cls, floats: Tensor) -> Int4Groups:
        """Rounded; of each group's scales that one with the least squared error."""
        rows = floats.flatten(1)  # [N, K]
        K = rows.shape[1]
        groups = pad(rows, (0, -K % GROUP)).view(len(rows), -1, GROUP)  # [N, G, 32]
        scales = _best_scales(groups)
        codes = _rounded(groups, scales).sub_(_LEAST).to(torch.uint8).flatten(1)[:, :K]
        codes = pad(codes, (0, K % 2))
        packed = codes[:, 0::2] | codes[:, 1::2] << 4
        return cls(tuple(floats.shape), InMemory(packed.contiguous()), scales)

    @property
    def nbytes(self) -> int:
        """That a file holds of it."""
        return math.prod(self.codes.shape) + self.scales.nbytes

    def floats(self) -> Tensor:
        """Float32 of the same shape."""
        packed = self.codes.read()
        both = torch.stack([packed & 15, packed >> 4], dim=2).flatten(1)  # [N, K or K + 1]
        K = math.prod(self.shape[1:])
        scales = self.scales.to(packed.device, torch.float32).repeat_interleave(GROUP, dim=1)
        rows = both[:, :K].to(torch.float32).add_(_LEAST).mul_(scales[:, :K])
        return rows.view(self.shape)

    def tensors(self) -> dict[str, Tensor]:
        """What a file holds, by what follows the name of the tensor."""
        return {"": self.codes.read(), ".scale": self.scales}

    def int8(self) -> Int8Rows:
        """Rounded once more, a sixteenth as coarsely: what the engine multiplies."""
        return Int8Rows.of(self.floats())


def _rounded(groups: Tensor, scales: Tensor) -> Tensor:
    return (groups / scales.float()[..., None]).round_().clamp_(_LEAST, _MOST)


def _best_scales(groups: Tensor) -> Tensor:
    """Float16 ``[N, G]`` of float32 ``[N, G, 32]``."""
    tops = groups.abs().amax(2)
    best = torch.full_like(tops, float("inf"))
    found = torch.full_like(tops, float("inf"), dtype=torch.float16)
    for share in _TRIED:
        scales = (tops * share / _MOST).clamp_min(_LEAST_SCALE).half()
        error = (_rounded(groups, scales) * scales.float()[..., None] - groups).square().sum(2)
        better = error < best
        best, found = torch.where(better, error, best), torch.where(better, scales, found)
    return found
