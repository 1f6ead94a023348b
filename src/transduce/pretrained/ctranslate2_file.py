"""CTranslate2's ``model.bin``: named arrays, as its converters write them.

All numbers are little-endian; a string is a uint16 length, that many bytes and among them
a final zero. The file holds, one after the other:

- uint32 version of the format, string name of the specification, uint32 its revision;
- uint32 count of variables, each: string name, uint8 rank, uint32 for each dimension, uint8
  type (float32, int8, int16, int32, float16, bfloat16), uint32 bytes, the values by rows;
- uint32 count of aliases, each: string name, string name of the variable that it stands for.

Quantized weights are stored as ``round(weight · scale)`` with the scale beside them: one for
each row (int8), or one for all (int16).
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from transduce.errors import ModelError

__all__ = ["BINARY", "BinaryModel", "read_binary"]

BINARY = "model.bin"

_VERSIONS = range(4, 7)  # before 4 a variable had no type
_BFLOAT16 = np.dtype("<u2")  # NumPy has no name for it
_TYPES = (*(np.dtype(name) for name in ("<f4", "<i1", "<i2", "<i4", "<f2")), _BFLOAT16)
_OLDEST_SCALE = 1000.0  # of int16 weights without a scale of their own
_FLOATS = (np.dtype("<f4"), np.dtype("<f2"), _BFLOAT16)


@dataclass(frozen=True)
class BinaryModel:
    """The variables of a model by name (``encoder/layer_0/ffn/linear_0/weight``).

    Arrays are views of the file. ``path`` is for messages.
    """

    path: Path
    specification: str
    revision: int
    variables: Mapping[str, NDArray[np.generic]]
    _read: set[str] = field(default_factory=set)

    def __contains__(self, name: str) -> bool:
        return name in self.variables

    def has(self, scope: str) -> bool:
        """Whether there is a variable inside a scope (``encoder/layer_6``)."""
        return any(name.startswith(f"{scope}/") for name in self.variables)

    def weight(self, name: str) -> Tensor:
        """A variable as float32, quantized ones multiplied out. Raises ModelError for none."""
        values = self._variable(name)
        if values.dtype in _FLOATS:
            return _as_float32(values)
        self._read.add(f"{name}_scale")
        scale = self.variables.get(f"{name}_scale")
        if scale is None:
            if values.dtype != np.dtype("<i2"):
                raise ModelError(f"{self.path}: {name} must have a scale as it is {values.dtype}")
            return torch.from_numpy(values.astype(np.float32)) / _OLDEST_SCALE
        scales = _as_float32(scale)
        if scales.dim():
            scales = scales.view(-1, *[1] * (values.ndim - 1))
        return torch.from_numpy(values.astype(np.float32)) / scales

    def optional(self, name: str) -> Tensor | None:
        """Like :meth:`weight`; None where there is no such variable."""
        return self.weight(name) if name in self else None

    def number(self, name: str, default: float | None = None) -> float:
        """A variable of one value. Raises ModelError where it is missing without a default."""
        if default is not None and name not in self:
            return default
        values = self._variable(name)
        if values.size != 1:
            raise ModelError(f"{self.path}: {name} must be one number; got {list(values.shape)}")
        if values.dtype in _FLOATS:
            return float(_as_float32(values).item())
        return float(values.astype(np.int64).item())

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

    def _variable(self, name: str) -> NDArray[np.generic]:
        self._read.add(name)
        if name not in self.variables:
            raise ModelError(f"{self.path}: {self.specification} must hold {name}; it has none")
        return self.variables[name]


def read_binary(path: Path) -> BinaryModel:
    """Read a ``model.bin``. Raises ModelError naming the file and what is wrong with it."""
    try:
        with path.open("rb") as file:
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is empty"
        raise ModelError(f"{path}: {BINARY} must be a readable file; {reason}") from None
    reader = _Reader(path, data)
    version = reader.number("I", "its version")
    if version not in _VERSIONS:
        raise ModelError(
            f"{path}: {BINARY} must be of version {_VERSIONS[0]} to {_VERSIONS[-1]} of "
            f"CTranslate2's format; got {version}"
        )
    specification = reader.string("its specification")
    revision = reader.number("I", "its revision")
    variables = dict(reader.variables())
    for alias, name in reader.aliases():
        if name in variables:
            variables[alias] = variables[name]
            if f"{name}_scale" in variables:
                variables.setdefault(f"{alias}_scale", variables[f"{name}_scale"])
    return BinaryModel(path, specification, revision, variables)


class _Reader:
    """A place in a file, moved on by what is read."""

    def __init__(self, path: Path, data: mmap.mmap) -> None:
        self._path = path
        self._data = data
        self._place = 0

    def number(self, form: str, what: str) -> int:
        start = self._advance(struct.calcsize(form), what)
        value: int = struct.unpack_from(f"<{form}", self._data, start)[0]
        return value

    def string(self, what: str) -> str:
        length = self.number("H", what)
        start = self._advance(length, what)
        try:
            return self._data[start : start + length].rstrip(b"\0").decode()
        except UnicodeDecodeError:
            raise ModelError(f"{self._path}: {what} must be UTF-8") from None

    def variables(self) -> Iterator[tuple[str, NDArray[np.generic]]]:
        for number in range(self.number("I", "the count of variables")):
            name = self.string(f"the name of variable {number}")
            rank = self.number("B", name)
            shape = tuple(self.number("I", name) for _ in range(rank))
            kind = self.number("B", name)
            if kind >= len(_TYPES):
                raise ModelError(f"{self._path}: the type of {name} must be 0 to 5; got {kind}")
            dtype = _TYPES[kind]
            count = int(np.prod(shape, dtype=object))
            size = count * dtype.itemsize
            told = self.number("I", name)
            if told != size % 2**32:  # what 32 bits hold of it
                raise ModelError(
                    f"{self._path}: {name} must be of {size} bytes by its shape "
                    f"{list(shape)}; got {told}"
                )
            start = self._advance(size, name)
            values = np.frombuffer(self._data, dtype, count, start)
            yield name, values.reshape(shape)

    def aliases(self) -> Iterator[tuple[str, str]]:
        for number in range(self.number("I", "the count of aliases")):
            what = f"alias {number}"
            yield self.string(what), self.string(what)

    def _advance(self, size: int, what: str) -> int:
        start, end = self._place, self._place + size
        if end > len(self._data):
            raise ModelError(
                f"{self._path}: {BINARY} must be whole; it ends at byte {len(self._data)} "
                f"inside {what}"
            )
        self._place = end
        return start


def _as_float32(values: NDArray[np.generic]) -> Tensor:
    if values.dtype == _BFLOAT16:  # the upper half of a float32
        wide: NDArray[np.generic] = (values.astype(np.uint32) << 16).view(np.float32)
        return torch.from_numpy(wide)
    return torch.from_numpy(values.astype(np.float32))
