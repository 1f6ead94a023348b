"""Packed matrices of weights, and in which numbers."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from transduce.errors import EngineError
from transduce.kernels.library import Library

__all__ = ["Number", "Weights", "plain"]

Number = Literal["float32", "bfloat16", "int8"]

_NUMBERS: dict[Number, int] = {"float32": 0, "bfloat16": 1, "int8": 2}


class Weights:
    """One packed matrix ``[N, K]`` with its bias ``[N]``, freed with this object.

    ``bfloat16`` halves the bytes; ``int8`` quarters them, each column over its own largest
    size, activations over that of their row. Raises EngineError where memory is short.
    """

    def __init__(
        self, library: Library, number: Number, weight: Tensor, bias: Tensor | None = None
    ) -> None:
        matrix = plain(weight)
        vector = None if bias is None else plain(bias)
        columns, depth = matrix.shape
        self._free = library.functions.transduce_free_weight
        self.handle: int | None = library.functions.transduce_weight(
            _NUMBERS[number],
            matrix.data_ptr(),
            None if vector is None else vector.data_ptr(),
            columns,
            depth,
            float("-inf"),  # what is beyond the last column is never the best
        )
        if not self.handle:
            raise EngineError(f"memory is too short for packed weights of {columns} x {depth}")

    def __del__(self) -> None:
        if getattr(self, "handle", None):
            self._free(self.handle)


def plain(tensor: Tensor) -> Tensor:
    """The same numbers as contiguous float32 on the CPU, shared where they are that already."""
    return tensor.detach().to("cpu", torch.float32).contiguous()
