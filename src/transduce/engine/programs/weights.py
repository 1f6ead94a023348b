"""Packed matrices of weights, and in which numbers."""

from __future__ import annotations

import ctypes
from typing import Literal

import torch
from torch import Tensor

from transduce.compress.halves import Halves
from transduce.compress.rows import Int8Rows
from transduce.compress.shrunk import Shrunk, floats_of, int8_rows
from transduce.kernels.border import bytes_of, numbers_of, raise_refusal
from transduce.kernels.library import Library

__all__ = ["Number", "Weights", "plain", "table_number"]

Number = Literal["float32", "bfloat16", "int8"]

_NUMBERS: dict[Number, int] = {"float32": 0, "bfloat16": 1, "int8": 2}

_NOTHING = float("-inf")  # what is beyond the last column is never the best


class Weights:
    """One packed matrix ``[N, K]`` with its bias ``[N]``, freed with this object.

    ``bfloat16`` halves the bytes; ``int8`` quarters them, each column over its own largest
    size, activations over that of their row. int8 rows that were stored are taken as they are.
    Raises EngineError where memory is short, ModelError where a weight is no finite number, or too
    large for bfloat16.
    """

    def __init__(
        self, library: Library, number: Number, weight: Tensor, bias: Tensor | None = None
    ) -> None:
        vector = None if bias is None else plain(bias)
        self._functions, self._free = library.functions, library.functions.free_weight
        rows = int8_rows(weight) if number == "int8" else None
        if rows is None:
            self._handle = self._of_floats(_NUMBERS[number], plain(weight), vector)
        else:
            self._handle = self._of_rows(rows, vector)

    def _of_floats(self, number: int, matrix: Tensor, bias: Tensor | None) -> int | None:
        handle = ctypes.c_void_p()
        if self._functions.weight(
            number, numbers_of(matrix), numbers_of(bias), *matrix.shape, _NOTHING,
            ctypes.byref(handle),
        ):  # fmt: skip
            raise_refusal(self._functions)
        return handle.value

    def _of_rows(self, rows: Int8Rows, bias: Tensor | None) -> int | None:
        codes, scales, handle = rows.codes.read(), plain(rows.scales), ctypes.c_void_p()
        if self._functions.weight_of_codes(
            bytes_of(codes), numbers_of(scales), numbers_of(bias), *codes.shape, _NOTHING,
            ctypes.byref(handle),
        ):  # fmt: skip
            raise_refusal(self._functions)
        return handle.value

    @property
    def handle(self) -> int:
        """What the kernels know it by."""
        return self._handle or 0

    def __del__(self) -> None:
        if getattr(self, "_handle", None):
            self._free(self._handle)


def plain(tensor: Tensor) -> Tensor:
    """The same numbers as contiguous float32 on the CPU, shared where they are that already."""
    return floats_of(tensor).detach().to("cpu", torch.float32).contiguous()


def table_number(table: Tensor) -> Number | None:
    """In what a table that was shrunk is packed without loss; None for one of floats."""
    if not isinstance(table, Shrunk):
        return None
    return "bfloat16" if isinstance(table.numbers, Halves) else "int8"
