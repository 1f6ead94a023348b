"""A model's weights out of its file into the kernels, in NumPy."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transduce.errors import ModelError
from transduce.kernels.border import bytes_of, numbers_of, raise_refusal
from transduce.kernels.levels import LEVELS
from transduce.kernels.library import Library
from transduce.kernels.running.held_array import HeldArray
from transduce.light.notes.scratch import Room, Scratch, kept
from transduce.light.notes.stored_numbers import Int4Numbers, Int8Numbers, StoredTensor, joined
from transduce.untrusted.tensors import TensorFile

__all__ = ["FileWeights", "Packed"]

Floats = NDArray[Any]

_NUMBERS = {"float32": 0, "bfloat16": 1, "int8": 2}  # that floats are packed in
_MOST_ZEROS = 1 << 24
_NOTHING = float("-inf")  # what is beyond the last column is never the best


class Packed:
    """One packed matrix, freed with this object."""

    def __init__(self, library: Library, handle: int) -> None:
        self.handle, self._free = handle, library.functions.free_weight

    def __del__(self) -> None:
        self._free(self.handle)


class FileWeights:
    """What the operations of a program are given, made of the tensors of a file.

    As ``transduce.engine.programs`` makes it of a model's, number for number: an operand is the
    name of a tensor, or what is made of several (``operands.py`` there). Raises ModelError where
    one is none, EngineError where the kernels refuse it.
    """

    def __init__(self, library: Library, file: TensorFile, shapes: Mapping[str, Any]) -> None:
        """``shapes`` are those of tensors whose codes do not tell them."""
        self._library, self._file, self._shapes = library, file, shapes
        self._kept: dict[str, HeldArray] = {}
        self._scratch = Scratch()

    def numbers(self, operand: Any) -> HeldArray | None:
        """Float32 that a program reads as they are; one tensor is there once."""
        if operand is None:
            return None
        if not isinstance(operand, str):
            return HeldArray(self._floats(operand, kept))
        if operand not in self._kept:
            self._kept[operand] = HeldArray(self._floats(operand, kept))
        return self._kept[operand]

    def size(self, operand: Any) -> int:
        """About how many bytes are read for it."""
        return sum(part.size for part in self._several(operand))

    def release(self) -> None:
        """Give back the memory that matrices are read into: all are packed."""
        self._scratch = Scratch()

    def packed(self, number: str, weight: Any, bias: Any) -> Packed:
        """A matrix and its bias in the numbers that a product takes."""
        room = self._scratch
        room.clear()
        vector = None if bias is None else HeldArray(self._floats(bias, kept))
        kinds = {part.kind for part in self._several(weight)}
        if number == "int4" and kinds == {"U8"} and (groups := self._groups(weight, room)):
            return self._of_groups(groups, vector)
        number = "int8" if number == "int4" else number
        if number not in _NUMBERS:
            raise ModelError(f"numbers must be one of {', '.join(_NUMBERS)}; got {number!r}")
        if number == "int8" and (rows := self._rows(weight, kinds, room)) is not None:
            return self._of_rows(rows, vector)
        return self._of_floats(number, self._floats(weight, room), vector)

    def _floats(self, operand: Any, room: Room) -> Floats:
        """Contiguous float32 of an operand. Raises ModelError where it is none."""
        match operand:
            case str():
                return self._stored(operand).floats(room)
            case {"joined": [*parts]} if parts:
                return joined([self._part(part, room) for part in parts], room)
            case {"scaled": str(name), "factor": int() | float() as factor}:
                return np.float32(factor) * self._stored(name).floats(room)
            case {"summed": [str(first), str(second)]}:
                return self._stored(first).floats(room) + self._stored(second).floats(room)
        raise ModelError(f"operand must be one of known kinds; got {operand!r}")

    def _part(self, part: Any, room: Room) -> Floats:
        """A tensor, or so many zeros."""
        match part:
            case str():
                return self._stored(part).floats(room)
            case int() if 0 <= part <= _MOST_ZEROS:
                return np.zeros(part, np.float32)
        raise ModelError(f"part must be a tensor's name or a number of zeros; got {part!r}")

    def _stored(self, name: str) -> StoredTensor:
        return StoredTensor(self._file, name, self._shapes.get(name))

    def _several(self, operand: Any) -> list[StoredTensor]:
        """The tensors that are taken as they are or joined; none where it is more than that."""
        match operand:
            case str():
                return [self._stored(operand)]
            case {"joined": [*parts]} if all(isinstance(part, str) for part in parts):
                return [self._stored(part) for part in parts]
        return []

    def _groups(self, operand: Any, room: Room) -> Int4Numbers | None:
        """Of int4; None where rows are not of one width."""
        groups = [part.groups(room) for part in self._several(operand)]
        one_width = len({part.width for part in groups}) == 1
        return Int4Numbers.joined(groups, room) if one_width else None

    def _rows(self, operand: Any, kinds: set[str], room: Room) -> Int8Numbers | None:
        """int8, where all of an operand is stored so, or all in int4."""
        match operand:
            case {"scaled": str(name), "factor": int() | float() as factor}:
                part = self._stored(name)
                return part.rows(room).times(factor) if part.kind == "I8" else None
        if kinds == {"U8"} and (groups := self._groups(operand, room)) is not None:
            return groups.rows(room)
        if kinds != {"I8"}:
            return None
        return Int8Numbers.joined([part.rows(room) for part in self._several(operand)], room)

    def _of_floats(self, number: str, matrix: Floats, bias: HeldArray | None) -> Packed:
        handle = ctypes.c_void_p()
        if matrix.ndim != 2:
            raise ModelError(f"matrix must have 2 dimensions; got {matrix.ndim}")
        if self._library.functions.weight(
            _NUMBERS[number], numbers_of(HeldArray(matrix)), numbers_of(bias), *matrix.shape,
            _NOTHING, ctypes.byref(handle),
        ):  # fmt: skip
            raise_refusal(self._library.functions)
        return Packed(self._library, handle.value or 0)

    def _of_rows(self, rows: Int8Numbers, bias: HeldArray | None) -> Packed:
        handle, codes = ctypes.c_void_p(), HeldArray(rows.codes)
        if self._library.functions.weight_of_codes(
            bytes_of(codes), numbers_of(HeldArray(rows.scales)), numbers_of(bias),
            *rows.codes.shape, _NOTHING, ctypes.byref(handle),
        ):  # fmt: skip
            raise_refusal(self._library.functions)
        return Packed(self._library, handle.value or 0)

    def _of_groups(self, groups: Int4Numbers, bias: HeldArray | None) -> Packed:
        handle = ctypes.c_void_p()
        if self._library.functions.weight_of_groups(
            bytes_of(HeldArray(groups.codes)), bytes_of(HeldArray(groups.scales)),
            numbers_of(HeldArray(LEVELS)), numbers_of(bias), len(groups.codes), groups.width,
            _NOTHING, ctypes.byref(handle),
        ):  # fmt: skip
            raise_refusal(self._library.functions)
        return Packed(self._library, handle.value or 0)
