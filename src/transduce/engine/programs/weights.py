"""Packed matrices of weights, and in which numbers."""

from __future__ import annotations

import ctypes
from typing import Literal

import torch
from torch import Tensor

from transduce.compress.groups import LEVELS, Int4Groups
from transduce.compress.halves import Halves
from transduce.compress.rows import Int8Rows
from transduce.compress.shrunk import Shrunk, floats_of, int8_rows
from transduce.kernels.border import bytes_of, numbers_of, raise_refusal
from transduce.kernels.library import Library

__all__ = ["Number", "Weights", "int4_groups", "over_sources", "plain", "table_number"]

Number = Literal["float32", "bfloat16", "int8", "int4"]

_NUMBERS: dict[Number, int] = {"float32": 0, "bfloat16": 1, "int8": 2}  # that floats are packed in

_NOTHING = float("-inf")  # what is beyond the last column is never the best


class Weights:
    """One packed matrix ``[N, K]`` with its bias ``[N]``, freed with this object.

    ``bfloat16`` halves the bytes; ``int8`` quarters them, each column over its own largest
    size, activations over that of their row. int8 rows that were stored are taken as they are, and
    so are int4 groups where ``int4`` is asked for; what is not stored so is int8 there.
    Raises EngineError where memory is short, ModelError where a weight is no finite number, or too
    large for bfloat16.
    """

    def __init__(
        self, library: Library, number: Number, weight: Tensor, bias: Tensor | None = None
    ) -> None:
        vector = None if bias is None else plain(bias)
        self._functions, self._free = library.functions, library.functions.free_weight
        groups = int4_groups(weight) if number == "int4" else None
        number = over_sources(number)
        rows = int8_rows(weight) if number == "int8" and groups is None else None
        if groups is not None:
            self._handle = self._of_groups(groups, vector)
        elif rows is None:
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

    def _of_groups(self, groups: Int4Groups, bias: Tensor | None) -> int | None:
        codes, scales, handle = groups.codes.read(), groups.scales.contiguous(), ctypes.c_void_p()
        columns, depth = groups.shape
        if self._functions.weight_of_groups(
            bytes_of(codes), bytes_of(scales), numbers_of(LEVELS), numbers_of(bias), columns, depth,
            _NOTHING, ctypes.byref(handle),
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


def int4_groups(weight: Tensor) -> Int4Groups | None:
    """What int4 products take of a shrunk matrix; None where it is none, or not stored so."""
    if isinstance(weight, Shrunk) and isinstance(weight.numbers, Int4Groups) and weight.ndim == 2:
        return weight.numbers
    return None


def over_sources(number: Number) -> Number:
    """What whole sources are multiplied in: many rows at once want int8 where one wants int4."""
    return "int8" if number == "int4" else number


def table_number(table: Tensor, products: Number) -> Number | None:
    """In what a table that was shrunk is packed beside such ``products``; None for floats."""
    if not isinstance(table, Shrunk):
        return None
    if products == "int4" and int4_groups(table) is not None:
        return "int4"
    return "bfloat16" if isinstance(table.numbers, Halves) else "int8"
