"""Recordings whose header is wrong of their length, as files whose header is right.

The library that decodes believes some headers: what stands behind the length that they tell is
lost without a word. So they are held against the file itself first.
"""

from __future__ import annotations

import os
from typing import BinaryIO

from transduce.audio.mpeg import counted, first_frame, stated, stating
from transduce.audio.short_headers import FEW, header_mended
from transduce.errors import DataError
from transduce.untrusted.pieces import Piece, pieced

__all__ = ["mended"]

_SHARE = 100  # a header may be wrong by FEW bytes, or by a hundredth of the file
_LAST_TAG = 128  # bytes of an ID3 tag behind the sound
_NAMED = (b"RIFF", b"RIFX", b"RF64", b"fLaC", b"OggS", b"FORM", b".snd")


def mended(file: BinaryIO, name: str) -> BinaryIO:
    """The same file, or one to be read in its place.

    A WAV whose header was written before its samples, and never again, ends where the file does;
    so does a WAV, AIFF, AU or FLAC that tells of less than it holds. An MP3 gets a first frame that
    says how many follow, where it has none or one that is wrong. An ID3 tag in front is left out.
    So is one behind an MP3. Raises DataError for an MP3 of which much is missing.
    """
    size = file.seek(0, os.SEEK_END)
    start = _behind_tag(file)
    file.seek(start)
    head = file.read(4)
    if head[:1] == b"\xff" or (start and head[:4] not in _NAMED):
        pieces = _mp3_pieces(file, start, size, name)
    else:
        pieces = header_mended(file, start, size)
    if pieces is not None:
        return pieced(file, pieces)
    file.seek(0)
    return pieced(file, [(start, size)]) if start else file


def _behind_tag(file: BinaryIO) -> int:
    """The end of an ID3 tag at the beginning."""
    file.seek(0)
    head = file.read(10)
    if head[:3] != b"ID3" or len(head) < 10 or max(head[6:]) > 0x7F:
        return 0
    length = 0
    for byte in head[6:]:
        length = length << 7 | byte
    return 10 + length + (10 if head[5] & 0x10 else 0)


def _mp3_pieces(file: BinaryIO, start: int, size: int, name: str) -> list[Piece] | None:
    """With a first frame that is right of the others."""
    first = first_frame(file, start)
    if first is None:
        return None  # the library says what is wrong
    told = stated(file, first)
    file.seek(max(first, size - _LAST_TAG))
    end = size - _LAST_TAG if file.read(3) == b"TAG" else size
    there = end - first
    if told is not None:
        bytes_told = there if told[1] is None else told[1]
        if there + max(FEW, bytes_told // _SHARE) < bytes_told:
            raise DataError(
                f"recording must be whole; got {there:,} of {bytes_told:,} bytes", file=name
            )
        if abs(there - bytes_told) <= bytes_told // _SHARE:
            return [(first, end)] if (start, size) != (0, end) else None
    sound = counted(file, first)
    return [stating(file, sound), (sound.start, end)] if sound.frames else None
