"""PyTorch's pickled weights (``pytorch_model.bin``) read as data: nothing in them is run.

A pickle is a small program. Of its language this module knows what ``torch.save`` writes for a
mapping of tensors and refuses the rest; it builds no object that the file names. What a tensor is
(a place, a shape and strides in a storage) is held against the storage's bytes, which are read
when somebody asks for them. Both formats are known: a zip archive, and what was written before
PyTorch 1.6 (five pickles, then each storage with its length).
"""

from __future__ import annotations

import math
import os
import pickletools
import struct
import warnings
import zipfile
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from transduce.errors import ModelError
from transduce.untrusted.bounded import MEGABYTE
from transduce.untrusted.opening import open_regular

__all__ = ["PickledFile"]

_LARGEST = 16 * MEGABYTE  # of what describes the tensors
_MOST_SHARED = 4  # times that the bytes of a file may be named
_BROKEN = (
    ArithmeticError,
    ValueError,
    EOFError,
    OSError,
    RuntimeError,
    struct.error,
    zipfile.BadZipFile,
)
_MAGIC = 0x1950A86A20F9469CFC6C
_TYPES = {
    "torch DoubleStorage": torch.float64,
    "torch FloatStorage": torch.float32,
    "torch HalfStorage": torch.float16,
    "torch BFloat16Storage": torch.bfloat16,
    "torch LongStorage": torch.int64,
    "torch IntStorage": torch.int32,
    "torch ShortStorage": torch.int16,
    "torch CharStorage": torch.int8,
    "torch ByteStorage": torch.uint8,
    "torch BoolStorage": torch.bool,
}
_MAPPING = "collections OrderedDict"
_TENSOR, _PARAMETER = "torch._utils _rebuild_tensor_v2", "torch._utils _rebuild_parameter"
_KNOWN = {_MAPPING, _TENSOR, _PARAMETER, *_TYPES}


@dataclass(frozen=True, slots=True)
class _Name:
    """What a pickle would import."""

    text: str


@dataclass(frozen=True, slots=True)
class _Storage:
    kind: torch.dtype
    key: str
    count: int


@dataclass(frozen=True, slots=True)
class _View:
    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]


class PickledFile:
    """The tensors of such a file; ``shapes`` by name. Close it."""

    def __init__(self, path: str | Path) -> None:
        """Read what describes the tensors. Raises ModelError."""
        self.path = Path(path)
        try:
            self._file = open_regular(path)
            self._size = os.fstat(self._file.fileno()).st_size
        except OSError as error:
            raise self._broken(error.strerror) from None
        try:
            with warnings.catch_warnings():  # of names with odd characters
                warnings.simplefilter("ignore", DeprecationWarning)
                self._views, self._places = self._read()
        except _BROKEN as error:
            self.close()
            raise self._broken(str(error).partition("\n")[0]) from None
        except BaseException:
            self.close()
            raise

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes by name."""
        return {name: view.shape for name, view in self._views.items()}

    def read(self, name: str) -> Tensor:
        """One tensor as it is stored, on the CPU, in memory of its own. Raises ModelError."""
        view = self._views[name]
        kind = view.storage.kind
        if not math.prod(view.shape):
            return torch.empty(view.shape, dtype=kind)
        self._file.seek(self._places[view.storage.key] + view.offset * kind.itemsize)
        size = math.prod(view.shape) * kind.itemsize
        content = bytearray(self._file.read(size))
        if len(content) < size:
            raise self._broken(f"it ends inside {name}")
        flat = torch.frombuffer(content, dtype=kind)
        return torch.as_strided(flat, view.shape, view.stride).contiguous()

    def close(self) -> None:
        """Nothing can be read any more."""
        self._file.close()

    def __del__(self) -> None:
        """Close what nobody closed."""
        if hasattr(self, "_file"):
            self.close()

    def _read(self) -> tuple[dict[str, _View], dict[str, int]]:
        """The tensors by name, and where each storage begins. Raises ValueError."""
        if zipfile.is_zipfile(self._file):
            value, sizes, places = self._read_archive()
        else:
            value, sizes, places = self._read_old()
        if not isinstance(value, dict) or not value:
            raise ValueError("it must hold a mapping of tensors")
        named = 0
        for name, view in value.items():
            if not isinstance(name, str) or not isinstance(view, _View):
                raise ValueError("it must hold tensors alone, by name")
            storage = view.storage
            if storage.count * storage.kind.itemsize != sizes.get(storage.key):
                raise ValueError(f"the storage of {name} must be there, of {storage.count} numbers")
            named += math.prod(view.shape) * storage.kind.itemsize
        if named > _MOST_SHARED * self._size:
            raise ValueError(f"its tensors must have its {self._size} bytes; they have {named}")
        return value, places

    def _read_archive(self) -> tuple[Any, dict[str, int], dict[str, int]]:
        with zipfile.ZipFile(self._file) as archive:
            files = {file.filename.partition("/")[2]: file for file in archive.infolist()}
            # none packed and none within another: what they hold is what the file has
            if sum(file.file_size for file in files.values()) > self._size or any(
                file.compress_type != zipfile.ZIP_STORED for file in archive.infolist()
            ):
                raise ValueError("its entries must be stored as they are")
            described = files.get("data.pkl")
            if described is None or described.file_size > _LARGEST:
                raise ValueError("it must have a data.pkl")
            if "byteorder" in files and archive.read(files["byteorder"]) != b"little":
                raise ValueError("its numbers must be little-endian")
            value = _Machine().run(BytesIO(archive.read(described)))
            sizes, places = {}, {}
            for name, file in files.items():
                if name.startswith("data/"):
                    with archive.open(file):  # its own header is looked at
                        sizes[name[5:]] = file.file_size
                        places[name[5:]] = self._file.tell()
            return value, sizes, places

    def _read_old(self) -> tuple[Any, dict[str, int], dict[str, int]]:
        self._file.seek(0)
        machine = _Machine()
        start = BytesIO(self._file.read(_LARGEST))
        first = [machine.run(start) for _ in range(5)]  # magic, version, system, value, keys
        if first[0] != _MAGIC or not isinstance(first[4], list):
            raise ValueError("it must be what torch.save wrote")
        place, sizes, places = start.tell(), {}, {}
        for key in first[4]:
            storage = machine.storages.get(str(key))
            if storage is None:
                raise ValueError(f"it must say what its storage {key!r} is")
            place += 8  # the count, once more
            places[storage.key] = place
            sizes[storage.key] = storage.count * storage.kind.itemsize
            place += sizes[storage.key]
        if place > self._size:
            raise ValueError(f"it must have {place} bytes; got {self._size}")
        return first[3], sizes, places

    def _broken(self, reason: object) -> ModelError:
        return ModelError(
            f"{self.path}: weights must be a readable file of tensors alone; {reason}"
        )


class _Machine:
    """What a pickle says, of the few words that ``torch.save`` has for tensors."""

    def __init__(self) -> None:
        self.storages: dict[str, _Storage] = {}
        self._stack: list[Any] = []
        self._marks: list[int] = []
        self._memory: dict[int, Any] = {}

    def run(self, file: BytesIO) -> Any:
        """The value of the pickle that begins here. Raises ValueError."""
        self._stack, self._marks, self._memory = [], [], {}
        try:
            for word, given, _ in pickletools.genops(file):
                if word.name == "STOP":
                    return self._stack.pop()
                self._do(word.name, given)
        except (IndexError, KeyError, TypeError, AttributeError, OverflowError):
            raise ValueError("it must be what torch.save writes of tensors") from None
        raise ValueError("it ends too early")

    def _do(self, word: str, given: Any) -> None:
        stack = self._stack
        match word:
            case "PROTO" | "FRAME":
                pass
            case "MARK":
                self._marks.append(len(stack))
            case "EMPTY_DICT":
                stack.append({})
            case "EMPTY_LIST":
                stack.append([])
            case "EMPTY_TUPLE":
                stack.append(())
            case "NONE" | "NEWTRUE" | "NEWFALSE":
                stack.append({"NONE": None, "NEWTRUE": True, "NEWFALSE": False}[word])
            case "BININT" | "BININT1" | "BININT2" | "LONG1" | "BINUNICODE" | "SHORT_BINUNICODE":
                stack.append(given)
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                count = int(word[-1])
                stack[-count:] = [tuple(stack[-count:])]
            case "TUPLE":
                stack.append(tuple(self._since_mark()))
            case "BINPUT" | "LONG_BINPUT":
                self._memory[given] = stack[-1]
            case "MEMOIZE":
                self._memory[len(self._memory)] = stack[-1]
            case "BINGET" | "LONG_BINGET":
                stack.append(self._memory[given])
            case "APPEND":
                last = stack.pop()
                _of(stack[-1], list).append(last)
            case "APPENDS":
                items = self._since_mark()
                _of(stack[-1], list).extend(items)
            case "SETITEM" | "SETITEMS":
                items = self._since_mark() if word == "SETITEMS" else [stack.pop(-2), stack.pop()]
                _of(stack[-1], dict).update(zip(items[::2], items[1::2], strict=True))
            case "GLOBAL":
                if given not in _KNOWN:
                    raise ValueError(f"it must hold tensors alone; got {given!r}")
                stack.append(_Name(given))
            case "BINPERSID":
                stack.append(self._stored(stack.pop()))
            case "REDUCE":
                arguments = stack.pop()
                stack.append(_made(stack.pop(), _of(arguments, tuple)))
            case "BUILD":  # versions of modules, beside the mapping
                stack.pop()
                _of(stack[-1], dict)
            case _:
                raise ValueError(f"it must hold tensors alone; got {word}")

    def _since_mark(self) -> list[Any]:
        mark = self._marks.pop()
        items = self._stack[mark:]
        del self._stack[mark:]
        return items

    def _stored(self, said: tuple[Any, ...]) -> _Storage:
        what, kind, key, _, count = said[:5]
        if what != "storage" or _of(kind, _Name).text not in _TYPES or not _sizes((count,)):
            raise TypeError
        storage = _Storage(_TYPES[kind.text], _of(key, str), count)
        return self.storages.setdefault(key, storage)


def _made(name: Any, arguments: tuple[Any, ...]) -> Any:
    """What a call gives, of the three that there are."""
    match _of(name, _Name).text:
        case text if text == _MAPPING and not arguments:
            return {}
        case text if text == _PARAMETER:
            return _of(arguments[0], _View)
        case text if text == _TENSOR:
            storage, offset, shape, stride = arguments[:4]
            return _view(_of(storage, _Storage), offset, shape, stride)
    raise TypeError


def _view(storage: _Storage, offset: Any, shape: Any, stride: Any) -> _View:
    """Raises ValueError where a tensor is not a dense piece of its storage."""
    if not _sizes((offset,)) or not _sizes(shape) or not _sizes(stride):
        raise TypeError
    count = math.prod(shape)
    if len(shape) != len(stride) or len(shape) > 8 or offset + count > storage.count:
        raise ValueError("its tensors must lie inside their storages")
    if count:
        wanted = 1
        for step, size in sorted((s, n) for s, n in zip(stride, shape, strict=True) if n > 1):
            if step != wanted:
                raise ValueError("its tensors must be dense")
            wanted *= size
    return _View(storage, offset, tuple(shape), tuple(stride))


def _sizes(values: Any) -> bool:
    return isinstance(values, tuple) and all(type(n) is int and n >= 0 for n in values)


def _of(value: Any, kind: type) -> Any:
    if not isinstance(value, kind):
        raise TypeError
    return value
