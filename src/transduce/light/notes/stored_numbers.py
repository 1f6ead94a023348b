"""Tensors of a model's file as they are stored: floats, int8 rows, int4 groups.

What ``transduce.compress`` is to torch; the numbers are the same. Arrays are made in the ``room``
that the caller has for them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transduce.errors import ModelError
from transduce.kernels.levels import GROUP, LEVELS
from transduce.light.notes.scratch import Room
from transduce.untrusted.tensors import TensorFile

__all__ = ["Int4Numbers", "Int8Numbers", "StoredTensor"]

Array = NDArray[Any]

_SCALE = ".scale"  # behind the name of the tensor that it belongs to
_MOST = 127
_LEAST_SIZE = 1e-30  # of a row's largest number; less is taken for 0
_ROWS_AT_ONCE = 512  # that are turned from one kind of numbers into another
_PAIRS = np.stack([np.tile(LEVELS, 16), np.repeat(LEVELS, 16)], axis=1)  # the two of each byte


@dataclass(frozen=True)
class Int8Numbers:
    """Row n is ``scales[n] · codes[n]``: int8 ``[N, K]``, float32 ``[N]``."""

    codes: Array
    scales: Array

    def floats(self, room: Room) -> Array:
        """Float32 ``[N, K]``."""
        numbers = room(self.codes.shape, np.float32)
        np.multiply(self.codes, self.scales[:, None], out=numbers, dtype=np.float32)
        return numbers

    def times(self, factor: float) -> Int8Numbers:
        """Every number times one above zero."""
        return Int8Numbers(self.codes, self.scales * np.float32(factor))

    @staticmethod
    def joined(parts: Sequence[Int8Numbers], room: Room) -> Int8Numbers:
        """The rows of several, one after another."""
        codes = joined([part.codes for part in parts], room)
        return Int8Numbers(codes, joined([part.scales for part in parts], room))


@dataclass(frozen=True)
class Int4Numbers:
    """Number k of a row is ``scales[k // 32] · LEVELS[code]``.

    Codes two a byte ``[N, ⌈K / 2⌉]``, scales float16 ``[N, ⌈K / 32⌉]``; ``width`` is K.
    """

    codes: Array
    scales: Array
    width: int

    def floats(self, room: Room) -> Array:
        """Float32 ``[N, K]``."""
        numbers = room((len(self.codes), self.width), np.float32)
        for first in range(0, len(numbers), _ROWS_AT_ONCE):
            numbers[first : first + _ROWS_AT_ONCE] = self._some(first)
        return numbers

    def rows(self, room: Room) -> Int8Numbers:
        """Rounded once more: each row over its own largest size / 127."""
        codes = room((len(self.codes), self.width), np.int8)
        scales = room((len(codes),), np.float32)
        for first in range(0, len(codes), _ROWS_AT_ONCE):
            floats = self._some(first)
            tops = np.abs(floats).max(1)
            own = np.where(tops > _LEAST_SIZE, tops / np.float32(_MOST), np.float32(1))
            scales[first : first + _ROWS_AT_ONCE] = own
            codes[first : first + _ROWS_AT_ONCE] = np.rint(floats / own[:, None])
        return Int8Numbers(codes, scales)

    def _some(self, first: int) -> Array:
        """Float32 ``[n, K]`` of rows from ``first`` on."""
        codes = self.codes[first : first + _ROWS_AT_ONCE]
        scales = self.scales[first : first + _ROWS_AT_ONCE].astype(np.float32)
        rows = _PAIRS[codes].reshape(len(codes), -1)[:, : self.width]  # [n, K]
        numbers: Array = rows * np.repeat(scales, GROUP, axis=1)[:, : self.width]
        return numbers

    @staticmethod
    def joined(parts: Sequence[Int4Numbers], room: Room) -> Int4Numbers:
        """The rows of several, one after another."""
        codes = joined([part.codes for part in parts], room)
        scales = joined([part.scales for part in parts], room)
        return Int4Numbers(codes, scales, parts[0].width)


def joined(parts: Sequence[Array], room: Room) -> Array:
    """Arrays one after another."""
    if len(parts) == 1:
        return parts[0]
    shape = (sum(map(len, parts)), *parts[0].shape[1:])
    return np.concatenate(parts, out=room(shape, parts[0].dtype))


@dataclass(frozen=True)
class StoredTensor:
    """One tensor of a file; ``shape`` is that of its floats, of which int4 codes tell but one."""

    file: TensorFile
    name: str
    shape: Sequence[int] | None

    def __post_init__(self) -> None:
        """Raise ModelError where there is none."""
        if self.name not in self.file.entries:
            raise ModelError(f"weights must hold {self.name}; got {len(self.file.entries)} others")

    @property
    def kind(self) -> str:
        """Of its numbers, in the words of the file: ``I8`` are rows, ``U8`` groups."""
        shrunk = self.name + _SCALE in self.file.entries
        kind = self.file.entries[self.name].kind
        if shrunk != (kind in ("I8", "U8")):
            raise ModelError(f"{self.name} must have scales where it is shrunk; got {kind}")
        return kind

    @property
    def size(self) -> int:
        """Bytes."""
        entry = self.file.entries[self.name]
        return entry.end - entry.start

    def rows(self, room: Room) -> Int8Numbers:
        """Of a tensor of int8. Raises ModelError where its scales do not go with it."""
        codes, scales = self._array("", room), self._array(_SCALE, room)
        if codes.ndim != 2 or scales.shape != codes.shape[:1] or scales.dtype != np.float32:
            raise self._unlike(scales)
        return Int8Numbers(codes, scales)

    def groups(self, room: Room) -> Int4Numbers:
        """Likewise of int4."""
        codes, scales = self._array("", room), self._array(_SCALE, room)
        if self.shape is None or len(self.shape) != 2:
            raise self._unlike(scales)
        rows, width = self.shape
        fits = codes.shape == (rows, -(-width // 2)) and scales.dtype == np.float16
        if not fits or scales.shape != (rows, -(-width // GROUP)):
            raise self._unlike(scales)
        return Int4Numbers(codes, scales, width)

    def floats(self, room: Room) -> Array:
        """Contiguous float32, whatever it is stored in."""
        match self.kind:
            case "F32":
                return self._array("", room)
            case "I8":
                return self.rows(room).floats(room)
            case "U8":
                return self.groups(room).floats(room)
            case "BF16" | "F16" | "F64" as kind:
                array = self._array("", room)
                numbers = room(array.shape, np.float32)
                if kind == "BF16":
                    np.left_shift(array, 16, out=numbers.view(np.uint32), dtype=np.uint32)
                else:
                    numbers[...] = array
                return numbers
        raise ModelError(f"{self.name} must be of floats; got {self.kind}")

    def _array(self, behind: str, room: Room) -> Array:
        name = self.name + behind
        array = room(self.file.entries[name].shape, self.file.number(name))
        self.file.fill(name, array)
        return array

    def _unlike(self, scales: Array) -> ModelError:
        shape = list(scales.shape)
        return ModelError(f"{self.name} must go with its scales; got {scales.dtype} {shape}")
