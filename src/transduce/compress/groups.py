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
# The sixteen levels of least squared error for normal numbers (Max 1960, table I), the outermost 1:
# near 0, where most weights are, they lie closer than equal steps.
_UPPER = torch.tensor([0.1284, 0.3881, 0.6568, 0.9424, 1.256, 1.618, 2.069, 2.733]) / 2.733
LEVELS = torch.cat([-_UPPER.flip(0), _UPPER])
_BORDERS = (LEVELS[1:] + LEVELS[:-1]) / 2
_TRIED = torch.linspace(0.7, 1.1, 13)  # of the largest size: what is above is cut
_LEAST_SCALE = 2.0**-14  # the smallest that float16 holds with all its digits


@dataclass(frozen=True)
class Int4Groups:
    """Number k of a row is ``scales[k // 32] · LEVELS[code]``.

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
        real = pad(torch.ones(K), (0, -K % GROUP)).view(-1, GROUP)  # [G, 32]
        scales = _best_scales(groups, real)
        codes = _codes(groups, scales).to(torch.uint8).flatten(1)[:, :K]
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
        rows = LEVELS.to(packed.device)[both[:, :K].int()].mul_(scales[:, :K])
        return rows.view(self.shape)

    def tensors(self) -> dict[str, Tensor]:
        """What a file holds, by what follows the name of the tensor."""
        return {"": self.codes.read(), ".scale": self.scales}

    def int8(self) -> Int8Rows:
        """Rounded once more, a sixteenth as coarsely: what the engine multiplies."""
        return Int8Rows.of(self.floats())


def _codes(groups: Tensor, scales: Tensor) -> Tensor:
    """The nearest levels, int64 ``[N, G, 32]``."""
    return torch.bucketize(groups / scales.float()[..., None], _BORDERS)


def _best_scales(groups: Tensor, real: Tensor) -> Tensor:
    """Float16 ``[N, G]`` of float32 ``[N, G, 32]``; ``real`` ``[G, 32]`` is 0 behind the rows."""
    tops = groups.abs().amax(2)
    best = torch.full_like(tops, float("inf"))
    found = torch.full_like(tops, float("inf"), dtype=torch.float16)
    for share in _TRIED:
        scales = (tops * share).clamp_min(_LEAST_SCALE).half()
        near = LEVELS[_codes(groups, scales)] * scales.float()[..., None]
        error = ((near - groups).square() * real).sum(2)
        better = error < best
        best, found = torch.where(better, error, best), torch.where(better, scales, found)
    return found
