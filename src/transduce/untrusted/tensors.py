"""Files of tensors (safetensors): what they say they hold, checked before anything is read.

A file is a length (uint64, little-endian), so many bytes of JSON that give each tensor a name, a
type, a shape and its bytes, and the bytes. Read here, not by the package: nothing is mapped (a
file that is cut while it is mapped ends the process), and what was checked and what is read are
one open file, from which tensors can also be read later (``unread.py``).
"""

from __future__ import annotations

import math
import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from transduce.errors import ModelError
from transduce.untrusted.bounded import MEGABYTE
from transduce.untrusted.json import parse_json
from transduce.untrusted.opening import open_regular

if TYPE_CHECKING:  # what predicts without torch (transduce.light) reads files, too
    import torch
    from torch import Tensor

    from transduce.untrusted.unread import HeldFile, Unread

__all__ = ["TensorEntry", "TensorFile", "read_tensors", "require_finite"]

_LENGTH = 8  # bytes of the header's length
_LARGEST_HEADER = 16 * MEGABYTE  # 100,000 tensors
_METADATA = "__metadata__"
_MOST_DIMENSIONS = 8
# What torch calls each, and NumPy, which has no bfloat16.
_TYPES: dict[str, tuple[str, type[np.generic]]] = {
    "F64": ("float64", np.float64),
    "F32": ("float32", np.float32),
    "F16": ("float16", np.float16),
    "BF16": ("bfloat16", np.uint16),
    "I64": ("int64", np.int64),
    "I32": ("int32", np.int32),
    "I16": ("int16", np.int16),
    "I8": ("int8", np.int8),
    "U8": ("uint8", np.uint8),
    "BOOL": ("bool", np.bool_),
}


@dataclass(frozen=True, slots=True)
class TensorEntry:
    """What a header says of a tensor: ``kind`` is the format's word for its type, its bytes are
    ``start`` to ``end`` of the file.
    """

    kind: str
    shape: tuple[int, ...]
    start: int
    end: int

    @property
    def type(self) -> torch.dtype:
        """Torch's."""
        import torch

        found: torch.dtype = getattr(torch, _TYPES[self.kind][0])
        return found


class TensorFile:
    """An open file of tensors; ``entries`` are what it holds, by name, ``metadata`` texts by name
    that somebody wrote beside them.
    """

    metadata: Mapping[str, str]

    def __init__(self, path: str | Path) -> None:
        """Read the header and hold it against the file's size. Raises ModelError."""
        self.path = Path(path)
        self._held: HeldFile | None = None
        try:
            self._file = open_regular(self.path)
        except OSError as error:
            raise self._broken(error.strerror or "it cannot be opened") from None
        try:
            self.entries: Mapping[str, TensorEntry] = self._read_header()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        """The file itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Nothing can be read any more."""
        self._file.close()

    def __del__(self) -> None:
        """Close what nobody closed."""
        if hasattr(self, "_file"):
            self.close()

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes by name."""
        return {name: entry.shape for name, entry in self.entries.items()}

    def read(self, name: str) -> Tensor:
        """One tensor as it is stored, on the CPU, in memory of its own. Raises ModelError."""
        import torch

        entry = self.entries[name]
        tensor = torch.empty(entry.shape, dtype=entry.type)
        if tensor.numel():
            self._file.seek(entry.start)
            self._fill(tensor.flatten().view(torch.uint8).numpy().data, name)
        return tensor

    def number(self, name: str) -> type[np.generic]:
        """NumPy's type of a tensor's numbers; uint16 for bfloat16."""
        return _TYPES[self.entries[name].kind][1]

    def fill(self, name: str, array: NDArray[Any]) -> None:
        """Read one tensor as it is stored into a contiguous array of its size.

        Raises ModelError.
        """
        entry = self.entries[name]
        if array.nbytes != entry.end - entry.start:
            raise ValueError(f"array must have {entry.end - entry.start} bytes")
        if array.size:
            self._file.seek(entry.start)
            self._fill(array.reshape(-1).view(np.uint8).data, name)

    def later(self, name: str) -> Unread:
        """One tensor that is read when somebody asks, each time anew, also when this file is closed
        or another has taken its place in the folder. Raises ModelError.
        """
        from transduce.untrusted.unread import HeldFile, Unread

        entry = self.entries[name]
        if not hasattr(os, "preadv"):
            return Unread(None, name, entry.type, entry.shape, entry.start, self.read(name))
        if self._held is None:
            self._held = HeldFile(self.path, self._file.fileno())
        return Unread(self._held, name, entry.type, entry.shape, entry.start)

    def _fill(self, buffer: memoryview, name: str) -> None:
        done = 0
        while done < len(buffer):
            try:
                count = self._file.readinto(buffer[done:])  # type: ignore[attr-defined]
            except OSError as error:
                raise self._broken(error.strerror or "it cannot be read") from None
            if not count:
                raise self._broken(f"it ends inside {name}")
            done += count

    def _read_header(self) -> dict[str, TensorEntry]:
        size = os.fstat(self._file.fileno()).st_size
        first = bytearray(_LENGTH)
        if size < _LENGTH:
            raise self._broken(f"it has {size} bytes")
        self._fill(memoryview(first), "its header")
        length = struct.unpack("<Q", first)[0]
        if length > min(size - _LENGTH, _LARGEST_HEADER):
            raise self._broken(
                f"its header must have {_LARGEST_HEADER} bytes at most; got {length}"
            )
        text = bytearray(length)
        self._fill(memoryview(text), "its header")
        try:
            header = parse_json(text.decode("utf-8"))
            if not isinstance(header, dict):
                raise ValueError("it must be a JSON object")
            self.metadata = _require_texts(header.pop(_METADATA, {}))
            start = _LENGTH + length
            entries = {name: _entry(name, value, start) for name, value in header.items()}
            _require_whole(entries, start, size)
        except ValueError as error:
            raise self._broken(f"its header is wrong: {error}") from None
        return entries

    def _broken(self, reason: str) -> ModelError:
        return ModelError(f"{self.path}: weights must be a readable safetensors file; {reason}")


def read_tensors(path: str | Path) -> dict[str, Tensor]:
    """All tensors of a file by name. Raises ModelError."""
    with TensorFile(path) as file:
        return {name: file.read(name) for name in file.entries}


def require_finite(name: str, tensor: Tensor) -> None:
    """Raise ModelError where a tensor holds NaN or an infinite number."""
    if not tensor.is_floating_point() or not tensor.numel():
        return
    import torch

    for extreme in torch.aminmax(tensor):  # NaN is both
        if not torch.isfinite(extreme):
            found = "NaN" if torch.isnan(extreme) else "an infinite one"
            raise ModelError(f"{name} must hold finite numbers; got {found}")


def _require_texts(metadata: Any) -> dict[str, str]:
    """Raise ValueError where it is not what the format permits: texts by name."""
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise ValueError(f"{_METADATA} must be texts by name")
    return metadata


def _entry(name: str, value: Any, start: int) -> TensorEntry:
    """Raises ValueError."""
    if not isinstance(value, dict) or value.keys() != {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"{name} must have dtype, shape and data_offsets")
    kind = value["dtype"]
    if not isinstance(kind, str) or kind not in _TYPES:
        known = ", ".join(_TYPES)
        raise ValueError(f"the type of {name} must be one of {known}; got {kind}")
    shape, offsets = value["shape"], value["data_offsets"]
    if not _counts(shape) or not _counts(offsets) or len(offsets) != 2:
        raise ValueError(f"shape and data_offsets of {name} must be numbers")
    if len(shape) > _MOST_DIMENSIONS:
        raise ValueError(f"{name} must have {_MOST_DIMENSIONS} dimensions at most")
    size = math.prod(shape) * np.dtype(_TYPES[kind][1]).itemsize
    if offsets[1] - offsets[0] != size:
        raise ValueError(
            f"{name} must have {size} bytes by its shape {shape}; got {offsets[1] - offsets[0]}"
        )
    return TensorEntry(kind, tuple(shape), start + offsets[0], start + offsets[1])


def _counts(values: Any) -> bool:
    return isinstance(values, list) and all(type(value) is int and value >= 0 for value in values)


def _require_whole(entries: Mapping[str, TensorEntry], start: int, size: int) -> None:
    """Raise ValueError where tensors lie in each other, or bytes belong to none."""
    end = start
    for name, entry in sorted(entries.items(), key=lambda item: (item[1].start, item[1].end)):
        if entry.start != end:
            raise ValueError(f"{name} must begin where the tensor before it ends")
        end = entry.end
    if end != size:
        raise ValueError(f"its tensors must fill the file to byte {size}; they end at {end}")
