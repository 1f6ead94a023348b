"""CTranslate2's ``model.bin``: named arrays, as its converters write them.

All numbers are little-endian; a string is a uint16 length, that many bytes and among them
a final zero. The file holds, one after the other:

- uint32 version of the format, string name of the specification, uint32 its revision (both from
  version 2 on);
- uint32 count of variables, each: string name, uint8 rank, uint32 for each dimension, uint8
  type (float32, int8, int16, int32, float16, bfloat16), uint32 bytes, the values by rows; before
  version 4 in the place of type and bytes: uint8 bytes of a value, uint32 values;
- uint32 count of aliases, each: string name, string name of the variable that it stands for (from
  version 3 on).

Quantized weights are stored as ``round(weight · scale)`` with the scale beside them: one for
each row (int8), or one for all (int16).
"""

from __future__ import annotations

import math
import os
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from transduce.errors import ModelError
from transduce.pretrained.ctranslate2.older import renewed
from transduce.untrusted.opening import open_regular

__all__ = ["BINARY", "BinaryModel", "read_binary"]

BINARY = "model.bin"

_VERSIONS = range(1, 7)
_NAMED, _ALIASED, _TYPED = 2, 3, 4  # versions from which on there is a name, are aliases, types
_BFLOAT16 = np.dtype("<u2")  # NumPy has no name for it
_TYPES = (*(np.dtype(name) for name in ("<f4", "<i1", "<i2", "<i4", "<f2")), _BFLOAT16)
_BY_SIZE: Mapping[int, np.dtype[np.generic]] = {
    size: np.dtype(kind) for size, kind in ((1, "<i1"), (2, "<i2"), (4, "<f4"))
}
_OLDEST_SCALE = 1000.0  # of int16 weights without a scale of their own
_MOST_DIMENSIONS = 8
_MOST_NAMED = 4  # times that the bytes of a file may be asked for, by aliases
_MOST_COUNTED = 1 << 16
_FLOATS = (np.dtype("<f4"), np.dtype("<f2"), _BFLOAT16)


@dataclass(frozen=True, eq=False, slots=True)
class Stored:
    """Where the values of a variable are in the file."""

    dtype: np.dtype[np.generic]
    shape: tuple[int, ...]
    start: int

    @property
    def bytes(self) -> int:
        """How many bytes they take."""
        return math.prod(self.shape) * self.dtype.itemsize


@dataclass(frozen=True)
class BinaryModel:
    """The variables of a model by name (``encoder/layer_0/ffn/linear_0/weight``).

    Values are read when they are asked for. ``path`` is for messages.
    """

    path: Path
    specification: str
    revision: int
    variables: Mapping[str, Stored]
    version: int
    _file: BinaryIO
    _size: int  # of the file
    _read: set[str] = field(default_factory=set)
    _named: dict[str, int] = field(default_factory=dict)  # bytes of what was asked for

    def __contains__(self, name: str) -> bool:
        return name in self.variables

    def close(self) -> None:
        """Nothing can be read any more."""
        self._file.close()

    def __del__(self) -> None:
        """Close what nobody closed."""
        self.close()

    def has(self, scope: str) -> bool:
        """Whether there is a variable inside a scope (``encoder/layer_6``)."""
        return scope in self._scopes

    @cached_property
    def _scopes(self) -> frozenset[str]:
        paths = (name.split("/") for name in self.variables)
        return frozenset("/".join(p[:end]) for p in paths for end in range(1, len(p)))

    def weight(self, name: str) -> Tensor:
        """A variable as float32, quantized ones multiplied out. Raises ModelError for none."""
        values = self._values(name)
        if values.dtype in _FLOATS:
            return _as_float32(values)
        self._read.add(f"{name}_scale")
        if f"{name}_scale" not in self:
            if values.dtype != np.dtype("<i2"):
                raise ModelError(f"{self.path}: {name} must have a scale as it is {values.dtype}")
            return torch.from_numpy(values.astype(np.float32)) / _OLDEST_SCALE
        scales = _as_float32(self._values(f"{name}_scale"))
        if scales.numel() not in (1, *values.shape[:1]):
            raise ModelError(f"{self.path}: {name} must have a scale, or one for each of its rows")
        scales = scales.view(-1, *[1] * (values.ndim - 1)) if values.ndim else scales.view(())
        return torch.from_numpy(values.astype(np.float32)) / scales

    def optional(self, name: str) -> Tensor | None:
        """Like :meth:`weight`; None where there is no such variable."""
        return self.weight(name) if name in self else None

    def number(self, name: str, default: float | None = None) -> float:
        """A variable of one value. Raises ModelError where it is missing without a default."""
        if default is not None and name not in self:
            return default
        values = self._values(name)
        if values.size != 1:
            raise ModelError(f"{self.path}: {name} must be one number; got {list(values.shape)}")
        if values.dtype not in _FLOATS:
            return float(values.astype(np.int64).item())
        found = float(_as_float32(values).item())
        if not math.isfinite(found):
            raise ModelError(f"{self.path}: {name} must be a finite number; got {found}")
        return found

    def count(self, name: str, default: int, *, least: int = 0) -> int:
        """A variable that counts something, or is a number of a list. Raises ModelError."""
        found = self.number(name, default)
        if found != int(found) or not least <= found <= _MOST_COUNTED:
            raise ModelError(
                f"{self.path}: {name} must be {least} to {_MOST_COUNTED}; got {found:g}"
            )
        return int(found)

    def same(self, name: str, other: str) -> bool:
        """Whether one of two names is an alias of the other."""
        return self.variables.get(name) is self.variables.get(other)

    def require_read(self, *known: str) -> None:
        """Raise ModelError naming a variable that nobody read, but for the ``known`` ones."""
        if unread := sorted(self.variables.keys() - self._read - set(known)):
            raise ModelError(
                f"{self.path}: {self.specification} must hold nothing that our Transformer has "
                f"no place for; got {unread[0]}"
            )

    def _values(self, name: str) -> NDArray[np.generic]:
        self._read.add(name)
        if name not in self.variables:
            raise ModelError(f"{self.path}: {self.specification} must hold {name}; it has none")
        stored = self.variables[name]
        self._named[name] = stored.bytes
        if sum(self._named.values()) > _MOST_NAMED * self._size:
            raise ModelError(f"{self.path}: weights must not stand for so many others")
        self._file.seek(stored.start)
        content = self._file.read(stored.bytes)
        if len(content) < stored.bytes:
            raise ModelError(f"{self.path}: {BINARY} must be whole; it ends inside {name}")
        return np.frombuffer(bytearray(content), stored.dtype).reshape(stored.shape)


def read_binary(path: Path) -> BinaryModel:
    """Read a ``model.bin``. Raises ModelError naming the file and what is wrong with it."""
    try:
        file = open_regular(path)
    except OSError as error:
        raise ModelError(f"{path}: {BINARY} must be a readable file; {error.strerror}") from None
    try:
        size = os.fstat(file.fileno()).st_size
        if not size:
            raise ModelError(f"{path}: {BINARY} must be a readable file; it is empty")
        return _read_binary(path, file, size)
    except BaseException:
        file.close()
        raise


def _read_binary(path: Path, file: BinaryIO, size: int) -> BinaryModel:
    reader = _Reader(path, file, size)
    version = reader.number("I", "its version")
    if version not in _VERSIONS:
        raise ModelError(
            f"{path}: {BINARY} must be of version {_VERSIONS[0]} to {_VERSIONS[-1]} of "
            f"CTranslate2's format; got {version}"
        )
    specification, revision = "", 1
    if version >= _NAMED:
        specification = reader.string("its specification")
        revision = reader.number("I", "its revision")
    variables: dict[str, Stored] = {}
    for name, stored in reader.variables(typed=version >= _TYPED):
        if name in variables:
            raise ModelError(f"{path}: {name} must be there once; got it twice")
        variables[name] = stored
    for alias, name in reader.aliases() if version >= _ALIASED else ():
        if name in variables:
            variables[alias] = variables[name]
            if f"{name}_scale" in variables:
                variables.setdefault(f"{alias}_scale", variables[f"{name}_scale"])
    variables = renewed(specification, revision, variables)
    return BinaryModel(path, specification, revision, variables, version, file, size)


class _Reader:
    """A place in a file, moved on by what is read."""

    def __init__(self, path: Path, file: BinaryIO, size: int) -> None:
        self._path = path
        self._file = file
        self._size = size
        self._place = 0

    def number(self, form: str, what: str) -> int:
        value: int = struct.unpack(f"<{form}", self._take(struct.calcsize(form), what))[0]
        return value

    def string(self, what: str) -> str:
        length = self.number("H", what)
        try:
            return self._take(length, what).rstrip(b"\0").decode()
        except UnicodeDecodeError:
            raise ModelError(f"{self._path}: {what} must be UTF-8") from None

    def variables(self, *, typed: bool) -> Iterator[tuple[str, Stored]]:
        for number in range(self.number("I", "the count of variables")):
            name = self.string(f"the name of variable {number}")
            rank = self.number("B", name)
            if rank > _MOST_DIMENSIONS:
                raise ModelError(
                    f"{self._path}: {name} must have {_MOST_DIMENSIONS} dimensions at most; "
                    f"got {rank}"
                )
            shape = tuple(self.number("I", name) for _ in range(rank))
            kind = self._type(name) if typed else self._type_by_size(name)
            stored = Stored(kind, shape, self._place + 4)
            told = self.number("I", name) * (1 if typed else kind.itemsize)
            if told != stored.bytes % 2**32:  # what 32 bits hold of it
                raise ModelError(
                    f"{self._path}: {name} must be of {stored.bytes} bytes by its shape "
                    f"{list(shape)}; got {told}"
                )
            self._advance(stored.bytes, name)
            self._file.seek(self._place)
            yield name, stored

    def _type(self, name: str) -> np.dtype[np.generic]:
        kind = self.number("B", name)
        if kind >= len(_TYPES):
            raise ModelError(f"{self._path}: the type of {name} must be 0 to 5; got {kind}")
        return _TYPES[kind]

    def _type_by_size(self, name: str) -> np.dtype[np.generic]:
        size = self.number("B", name)
        if size not in _BY_SIZE:
            raise ModelError(
                f"{self._path}: a value of {name} must have 1, 2 or 4 bytes; got {size}"
            )
        return _BY_SIZE[size]

    def aliases(self) -> Iterator[tuple[str, str]]:
        for number in range(self.number("I", "the count of aliases")):
            what = f"alias {number}"
            yield self.string(what), self.string(what)

    def _take(self, size: int, what: str) -> bytes:
        self._advance(size, what)
        content = self._file.read(size)
        if len(content) < size:
            raise ModelError(f"{self._path}: {BINARY} must be whole; it ends inside {what}")
        return content

    def _advance(self, size: int, what: str) -> None:
        end = self._place + size
        if end > self._size:
            raise ModelError(
                f"{self._path}: {BINARY} must be whole; it ends at byte {self._size} inside {what}"
            )
        self._place = end


def _as_float32(values: NDArray[np.generic]) -> Tensor:
    if values.dtype == _BFLOAT16:  # the upper half of a float32
        wide: NDArray[np.generic] = (values.astype(np.uint32) << 16).view(np.float32)
        return torch.from_numpy(wide)
    return torch.from_numpy(values.astype(np.float32))
