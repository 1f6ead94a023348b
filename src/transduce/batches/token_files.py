"""Files of numbers that nobody changes once they are written, and what tells that nobody did."""

from __future__ import annotations

import hashlib
import mmap
import os
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Integers",
    "TokenFile",
    "digest_of",
    "holds_symbols",
    "lengths_file",
    "mapped",
    "token_type",
    "tokens_file",
]

Integers = NDArray[np.integer[Any]]

_PORTION = 1 << 22  # numbers looked at together


class TokenFile:
    """A new file that arrays are appended to; flushed to the disk when closed."""

    def __init__(self, path: Path) -> None:
        # Another process may have the old file mapped: it keeps it, we make a new one.
        path.unlink(missing_ok=True)
        self._file: BinaryIO = path.open("xb")
        self._hash = hashlib.blake2b(digest_size=16)

    def append(self, array: Integers | NDArray[np.floating[Any]]) -> None:
        """Write an array's numbers behind the others."""
        self._file.write(array.data)
        self._hash.update(array.data)

    @property
    def digest(self) -> str:
        """A hash of all that was appended."""
        return self._hash.hexdigest()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if error is None:
                self._file.flush()
                os.fsync(self._file.fileno())
        finally:
            self._file.close()


def token_type(size: int) -> np.dtype[Any]:
    """What holds the symbols of a vocabulary of this size, little-endian."""
    return np.dtype("<u2" if size <= 1 << 16 else "<u4")


def mapped(path: Path, kind: np.dtype[Any]) -> tuple[NDArray[Any], mmap.mmap]:
    """The numbers of a file, and what maps them. Raises OSError, ValueError for an empty file."""
    with path.open("rb") as file:
        mapping = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    return np.frombuffer(mapping, kind), mapping


def holds_symbols(tokens: Integers, size: int) -> bool:
    """Whether all are of a vocabulary of this size; a portion is looked at after the other."""
    starts = range(0, len(tokens), _PORTION)
    return all(tokens[n : n + _PORTION].max() < size for n in starts)


def digest_of(path: Path) -> str:
    """The hash of a file, as :class:`TokenFile` makes it. Raises OSError."""
    hashed = hashlib.blake2b(digest_size=16)
    with path.open("rb") as file:
        while block := file.read(1 << 22):
            hashed.update(block)
    return hashed.hexdigest()


def tokens_file(folder: Path, side: str) -> Path:
    """Where the tokens of a side stand."""
    return folder / f"{side}.tokens"


def lengths_file(folder: Path, side: str) -> Path:
    """Where the lengths of its sentences stand."""
    return folder / f"{side}.lengths"
