"""Stretches of a file, and bytes that were never in it, as one file."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from typing import BinaryIO

__all__ = ["pieced"]

Piece = bytes | tuple[int, int]  # bytes themselves, or from where to where in the file


def pieced(file: BinaryIO, pieces: Sequence[Piece]) -> BinaryIO:
    """A file to read of the pieces one after another; ``file`` is read through it alone."""
    return io.BufferedReader(_Pieces(file, pieces))


class _Pieces(io.RawIOBase):
    def __init__(self, file: BinaryIO, pieces: Sequence[Piece]) -> None:
        self._file = file
        self._pieces = pieces
        self._ends = [0]
        for piece in pieces:
            length = len(piece) if isinstance(piece, bytes) else piece[1] - piece[0]
            self._ends.append(self._ends[-1] + length)
        self._place = 0
        self._piece = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = (0, self._place, self._ends[-1])[whence]
        self._place = max(0, base + offset)
        self._piece = 0
        return self._place

    def tell(self) -> int:
        return self._place

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        while self._piece < len(self._pieces) and self._ends[self._piece + 1] <= self._place:
            self._piece += 1
        if self._piece == len(self._pieces):
            return 0
        piece, inside = self._pieces[self._piece], self._place - self._ends[self._piece]
        if isinstance(piece, bytes):
            data = piece[inside : inside + len(buffer)]
        else:
            start, end = piece
            self._file.seek(start + inside)
            data = self._file.read(min(len(buffer), end - start - inside))
        buffer[: len(data)] = data
        self._place += len(data)
        return len(data)
