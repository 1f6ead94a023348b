"""int4: groups of a row's numbers, each over a scale of its own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad

from transduce.compress.rows import InMemory, Int8Rows, Readable
from transduce.kernels import levels
from transduce.kernels.levels import GROUP
from transduce.kernels.nearest_levels import nearest_levels

__all__ = ["GROUP", "Int4Groups"]

LEVELS = torch.from_numpy(levels.LEVELS)
# the two of each byte
_PAIRS = torch.stack([LEVELS.repeat(16), LEVELS.repeat_interleave(16)], dim=1)
_SHARES = torch.linspace(0.7, 1.1, 13)  # of the largest size: what is above is cut
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
        rows = floats.flatten(1).contiguous()  # [N, K]
        K = rows.shape[1]
        tried = _tried_scales(rows)
        codes, best = nearest_levels(rows, tried.float(), LEVELS)
        scales = tried.gather(2, best[:, :, None])[:, :, 0].contiguous()
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
        K = math.prod(self.shape[1:])
        rows = _PAIRS.to(packed.device).index_select(0, packed.flatten().int())
        rows = rows.view(len(packed), -1)[:, :K]  # [N, K or K + 1] → [N, K]
        scales = self.scales.to(packed.device, torch.float32).repeat_interleave(GROUP, dim=1)
        return (rows * scales[:, :K]).view(self.shape)

    def tensors(self) -> dict[str, Tensor]:
        """What a file holds, by what follows the name of the tensor."""
        return {"": self.codes.read(), ".scale": self.scales}

    @staticmethod
    def joined(parts: Sequence[Int4Groups]) -> Int4Groups:
        """The rows of several, one after another."""
        codes = torch.cat([part.codes.read() for part in parts])
        rows = sum(part.shape[0] for part in parts)
        scales = torch.cat([part.scales for part in parts])
        return Int4Groups((rows, *parts[0].shape[1:]), InMemory(codes), scales)

    def int8(self) -> Int8Rows:
        """Rounded once more, a sixteenth as coarsely: what the engine multiplies."""
        return Int8Rows.of(self.floats())


def _tried_scales(rows: Tensor) -> Tensor:
    """Float16 ``[N, G, T]``, T scales to choose from for each group of ``[N, K]``."""
    groups = pad(rows, (0, -rows.shape[1] % GROUP)).view(len(rows), -1, GROUP)  # [N, G, 32]
    tops = groups.abs().amax(2)
    return (tops[..., None] * _SHARES.to(rows.device)).clamp_min(_LEAST_SCALE).half()
