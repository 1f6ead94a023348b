"""From a file (plain, gzip, zstandard) or standard input to blocks of decoded lines.

Whole blocks are decoded at once; only a block with undecodable bytes is looked
at line by line. Lines end with ``\\n`` or ``\\r\\n`` and with nothing else: U+2028
and its like are text.
"""

from __future__ import annotations

import codecs
import contextlib
import gzip
import io
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

import zstandard

from transduce.data.problems import BadFileError, Problems

__all__ = ["Block", "Stream", "bare_suffix", "open_stream", "read_blocks"]

_BLOCK_BYTES = 1 << 18
# Zstandard may unpack a thousandfold: small portions keep memory flat.
_ZSTANDARD_BYTES = 1 << 14
_CORRUPT = (EOFError, zlib.error, zstandard.ZstdError, gzip.BadGzipFile)
_OTHER_ENCODINGS = {codecs.BOM_UTF16_LE: "UTF-16", codecs.BOM_UTF16_BE: "UTF-16"}


@dataclass(frozen=True, slots=True)
class Block:
    """Some lines of a file, without their ends.

    ``first`` is the number of the first line, from 1. ``undecodable`` holds the
    numbers of lines that are not UTF-8; their text is not to be used.
    """

    first: int
    lines: list[str]
    undecodable: frozenset[int] = frozenset()


class Stream(Protocol):
    """Where bytes come from: at most ``size`` or so at a time, none at the end."""

    def read(self, size: int, /) -> bytes:
        """The next bytes; empty at the end."""
        ...


def bare_suffix(path: Path) -> str:
    """The suffix that tells the format, in lower case: ``.tsv`` of ``train.tsv.gz``."""
    packed = path.suffix.lower() in {".gz", ".zst"}
    return (path.with_suffix("") if packed else path).suffix.lower()


@contextlib.contextmanager
def open_stream(path: Path) -> Iterator[Stream]:
    """Open a file for reading, unpacked by its suffix; raises BadFileError where that fails."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        raise BadFileError("missing file", "file must exist; got no such file", path) from None
    except OSError as error:
        message = f"file must be readable; got: {error.strerror}"
        raise BadFileError("unreadable file", message, path) from None
    with file:
        match path.suffix.lower():
            case ".gz":
                with gzip.GzipFile(fileobj=file) as unpacked:
                    yield unpacked
            case ".zst":
                yield _ZstandardStream(file)
            case _:
                yield file


class _ZstandardStream:
    """Unpacks frame after frame. Unlike the package's own reader it notices a cut-off file."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._frame = zstandard.ZstdDecompressor().decompressobj()
        self._inside = False
        self._waiting = b""

    def read(self, size: int, /) -> bytes:
        while True:
            packed = self._waiting or self._file.read(min(size, _ZSTANDARD_BYTES))
            self._waiting = b""
            if not packed:
                if self._inside:
                    raise EOFError("file ends inside a frame")
                return b""
            unpacked = self._frame.decompress(packed)
            self._inside = not self._frame.eof
            if self._frame.eof:
                self._waiting = self._frame.unused_data
                self._frame = zstandard.ZstdDecompressor().decompressobj()
            if unpacked:
                return unpacked


def read_blocks(stream: Stream, name: str, problems: Problems) -> Iterator[Block]:
    """Decode a stream block by block, with a byte order mark taken off.

    Undecodable lines are noted in ``problems`` (which may raise DataError) and
    marked in their block. Raises BadFileError where the packed data is corrupt or the
    text is UTF-16.
    """
    first = 1
    # A pipe or terminal gives what it has: its lines are answered as they come.
    read = stream.read1 if isinstance(stream, io.BufferedReader) else stream.read
    for data in _cut_at_lines(_guarded(read, name)):
        if first == 1:
            data = _without_mark(data, name)
        block = _decode(data, first, name, problems)
        first += len(block.lines)
        if block.lines:
            yield block


def _guarded(read: Callable[[int], bytes], name: str) -> Callable[[int], bytes]:
    def guarded(size: int) -> bytes:
        try:
            return read(size)
        except _CORRUPT as error:
            message = f"file must be whole gzip or zstandard data; got: {error}"
            raise BadFileError("corrupt file", message, name) from None
        except OSError as error:
            message = f"file must be readable; got: {error.strerror}"
            raise BadFileError("unreadable file", message, name) from None

    return guarded


def _cut_at_lines(read: Callable[[int], bytes]) -> Iterator[bytes]:
    parts: list[bytes] = []
    while chunk := read(_BLOCK_BYTES):
        cut = chunk.rfind(b"\n") + 1
        if cut:
            parts.append(chunk[:cut])
            yield b"".join(parts)
            parts = [chunk[cut:]]
        else:
            parts.append(chunk)
    if rest := b"".join(parts):
        yield rest


def _without_mark(data: bytes, name: str) -> bytes:
    encoding = _OTHER_ENCODINGS.get(data[:2])
    if encoding:
        raise BadFileError("not UTF-8", f"file must be UTF-8 text; got {encoding}", name)
    return data.removeprefix(codecs.BOM_UTF8)


def _decode(data: bytes, first: int, name: str, problems: Problems) -> Block:
    try:
        return Block(first, _split(data.decode()))
    except UnicodeDecodeError:
        pass
    lines = _split(data.decode(errors="surrogateescape"))
    undecodable = set()
    for number, line in enumerate(lines, first):
        try:
            line.encode()
        except UnicodeEncodeError as error:
            byte = ord(line[error.start]) - 0xDC00
            message = (
                f"line must be UTF-8 text; got byte 0x{byte:02x} at character {error.start + 1}"
            )
            problems.add("not UTF-8", message, name, number)
            undecodable.add(number)
    return Block(first, lines, frozenset(undecodable))


def _split(text: str) -> list[str]:
    if "\r" in text:
        text = text.replace("\r\n", "\n")
    lines = text.split("\n")
    if not lines[-1]:
        lines.pop()
    return lines
