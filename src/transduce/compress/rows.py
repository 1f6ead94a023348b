"""int8 with a scale a row: the numbers that the engine multiplies, and so no second rounding."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

__all__ = ["InMemory", "Int8Rows", "Readable"]

_MOST = 127
_LEAST_SIZE = 1e-30  # of a row's largest number; less is taken for 0, as unit_of of matrix.h has it


class Readable(Protocol):
    """A tensor that is in memory, or is read anew from its file each time."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the tensor."""
        ...

    def read(self) -> Tensor:
        """The tensor, contiguous; nobody changes it."""
        ...


@dataclass(frozen=True)
class InMemory:
    """A tensor that is there."""

    tensor: Tensor

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the tensor."""
        return tuple(self.tensor.shape)

    def read(self) -> Tensor:
        """The tensor itself."""
        return self.tensor


@dataclass(frozen=True)
class Int8Rows:
    """Row n is ``scales[n] · codes[n]``: int8 ``[N, …]``, float32 ``[N]``."""

    codes: Readable
    scales: Tensor

    @classmethod
    def of(cls, floats: Tensor) -> Int8Rows:
        """Float32 ``[N, …]``, each row rounded over its own largest size / 127."""
        rows = floats.flatten(1)  # [N, K]
        tops = rows.abs().amax(1)
        scales = torch.where(tops > _LEAST_SIZE, tops / _MOST, torch.ones_like(tops))
        codes = (rows / scales[:, None]).round_().to(torch.int8)
        return cls(InMemory(codes.view(floats.shape)), scales)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the floats."""
        return self.codes.shape

    @property
    def nbytes(self) -> int:
        """That a file holds of it."""
        return math.prod(self.shape) + self.scales.nbytes

    def floats(self) -> Tensor:
        """Float32 of the same shape."""
        codes = self.codes.read()
        scales = self.scales.to(codes.device).view(-1, *[1] * (codes.ndim - 1))
        return codes.to(torch.float32).mul_(scales)

    def tensors(self) -> dict[str, Tensor]:
        """What a file holds, by what follows the name of the tensor."""
        return {"": self.codes.read(), ".scale": self.scales}

    def int8(self) -> Int8Rows:
        """Itself."""
        return self

    def times(self, factor: float) -> Int8Rows:
        """Every number times one above zero."""
        return Int8Rows(self.codes, self.scales * factor)

    def within_rows(self, change: Callable[[Tensor], Tensor]) -> Int8Rows:
        """With the numbers of each row in another order or shape."""
        return Int8Rows(InMemory(change(self.codes.read()).contiguous()), self.scales)

    @staticmethod
    def joined(parts: Sequence[Int8Rows]) -> Int8Rows:
        """The rows of several, one after another."""
        codes = torch.cat([part.codes.read() for part in parts])
        return Int8Rows(InMemory(codes), torch.cat([part.scales for part in parts]))
