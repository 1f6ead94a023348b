"""bfloat16: half of the bytes, and of the digits."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from transduce.compress.rows import InMemory, Int8Rows, Readable

__all__ = ["Halves"]


@dataclass(frozen=True)
class Halves:
    """Float32 rounded to the nearest bfloat16, ``[N, …]``."""

    halves: Readable

    @classmethod
    def of(cls, floats: Tensor) -> Halves:
        """Rounded."""
        return cls(InMemory(floats.to(torch.bfloat16)))

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the floats."""
        return self.halves.shape

    @property
    def nbytes(self) -> int:
        """That a file holds of it."""
        return 2 * math.prod(self.shape)

    def floats(self) -> Tensor:
        """Float32 of the same shape."""
        return self.halves.read().to(torch.float32)

    def tensors(self) -> dict[str, Tensor]:
        """What a file holds, by what follows the name of the tensor."""
        return {"": self.halves.read()}

    def int8(self) -> Int8Rows | None:
        """None: as int8 they would be rounded again."""
        return None
