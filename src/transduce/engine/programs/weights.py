"""Packed matrices of weights, and in which numbers."""

from __future__ import annotations

import ctypes
from typing import Literal

import torch
from torch import Tensor

from transduce.kernels.border import numbers_of, raise_refusal
from transduce.kernels.library import Library

__all__ = ["Number", "Weights", "plain"]

Number = Literal["float32", "bfloat16", "int8"]

_NUMBERS: dict[Number, int] = {"float32": 0, "bfloat16": 1, "int8": 2}


class Weights:
    """One packed matrix ``[N, K]`` with its bias ``[N]``, freed with this object.

    ``bfloat16`` halves the bytes; ``int8`` quarters them, each column over its own largest
    size, activations over that of their row. Raises EngineError where memory is short, ModelError
    where a weight is no finite number, or too large for bfloat16.
    """

    def __init__(
        self, library: Library, number: Number, weight: Tensor, bias: Tensor | None = None
    ) -> None:
        matrix = plain(weight)
        vector = None if bias is None else plain(bias)
        columns, depth = matrix.shape
        functions, handle = library.functions, ctypes.c_void_p()
        self._free = functions.free_weight
        nothing = float("-inf")  # what is beyond the last column is never the best
        if functions.weight(
            _NUMBERS[number], numbers_of(matrix), numbers_of(vector), columns, depth, nothing,
            ctypes.byref(handle),
        ):  # fmt: skip
            raise_refusal(functions)
        self._handle = handle.value

    @property
    def handle(self) -> int:
        """What the kernels know it by."""
        return self._handle or 0

    def __del__(self) -> None:
        if getattr(self, "_handle", None):
            self._free(self._handle)


def plain(tensor: Tensor) -> Tensor:
    """The same numbers as contiguous float32 on the CPU, shared where they are that already."""
    return tensor.detach().to("cpu", torch.float32).contiguous()
