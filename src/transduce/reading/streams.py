"""From a file (plain, gzip, zstandard) or standard input to blocks of decoded lines.

Whole blocks are decoded at once; only a block with undecodable bytes is looked
at line by line. Lines end with ``\\n``, before and behind which any ``\\r`` goes (some systems
write ``\\n\\r``), and with nothing else: U+2028 and its like are text. Only where a file has no
``\\n`` at all does ``\\r`` end its lines, as once on the Macintosh.

A line may have 4 MiB (``LONGEST_LINE``); of a longer one no more is held. A packed file may
unpack to 4 MiB, or to 100 times its size where that is more: text is packed to a third or a
tenth, what exceeds this was made to fill the memory.
"""

from __future__ import annotations

import codecs
import contextlib
import gzip
import io
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import BinaryIO, Protocol

import zstandard

from transduce.reading.problems import BadFileError, BadRecordError
from transduce.untrusted.opening import open_regular

__all__ = [
    "LONGEST_LINE",
    "Block",
    "Stream",
    "bare_suffix",
    "open_file",
    "open_stream",
    "read_blocks",
    "refuse_bomb",
]

LONGEST_LINE = 1 << 22  # bytes

_BLOCK_BYTES = 1 << 18
# Zstandard may unpack 32,000-fold: small portions keep memory flat.
_ZSTANDARD_BYTES = 1 << 10
_UNPACKED_BYTES, _UNPACKED_TIMES = 1 << 22, 100
_CORRUPT = (EOFError, zlib.error, zstandard.ZstdError, gzip.BadGzipFile)
_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_NO_TEXT = {
    b"PK\x03\x04": "a ZIP archive (as workbooks are)",
    b"\xd0\xcf\x11\xe0": "an Office file of before 2007 (save it as .xlsx)",
    b"\x1f\x8b": "gzip (its name must end in .gz)",
    b"\x28\xb5\x2f\xfd": "zstandard (its name must end in .zst)",
}
_LOOKED_AT, _ENOUGH = 1024, 16  # bytes by which UTF-16 without a mark is told from text


@dataclass(frozen=True, slots=True)
class Block:
    """Some lines of a file, without their ends.

    ``first`` is the number of the first line, from 1. ``bad`` says what is wrong with some, by
    their numbers; their text is not to be used.
    """

    first: int
    lines: list[str]
    bad: Mapping[int, BadRecordError] = field(default_factory=dict)

    def rows(self) -> Iterator[tuple[int, str | BadRecordError]]:
        """Each line with its number, or what is wrong with it."""
        numbered = enumerate(self.lines, self.first)
        if not self.bad:
            return numbered
        return ((number, self.bad.get(number, line)) for number, line in numbered)


class Stream(Protocol):
    """Where bytes come from: at most ``size`` or so at a time, none at the end."""

    def read(self, size: int, /) -> bytes:
        """The next bytes; empty at the end."""
        ...


def bare_suffix(path: Path) -> str:
    """The suffix that tells the format, in lower case: ``.tsv`` of ``train.tsv.gz``."""
    packed = path.suffix.lower() in {".gz", ".zst"}
    return (path.with_suffix("") if packed else path).suffix.lower()


def open_file(path: Path) -> BinaryIO:
    """Open a file for reading as it is; raises BadFileError where that fails."""
    try:
        return open_regular(path)
    except FileNotFoundError:
        raise BadFileError("missing file", "file must exist; got no such file", path) from None
    except OSError as error:
        message = f"file must be readable; got: {error.strerror}"
        raise BadFileError("unreadable file", message, path) from None


@contextlib.contextmanager
def open_stream(path: Path) -> Iterator[Stream]:
    """Open a file for reading, unpacked by its suffix; raises BadFileError where that fails."""
    with open_file(path) as file:
        match path.suffix.lower():
            case ".gz":
                with gzip.GzipFile(fileobj=file) as unpacked:
                    # Not read: that would lose what comes before the place where it is cut off.
                    yield _Bounded(unpacked.read1, file, path)
            case ".zst":
                yield _Bounded(_ZstandardStream(file).read, file, path)
            case _:
                yield file


def refuse_bomb(unpacked: int, packed: int, path: str | Path) -> None:
    """Raise BadFileError where so many bytes came of so few."""
    if unpacked > max(_UNPACKED_BYTES, _UNPACKED_TIMES * packed):
        message = (
            f"file must unpack to at most {_UNPACKED_BYTES >> 20} MiB or {_UNPACKED_TIMES} times "
            f"its size; got more than {unpacked:,} bytes of {packed:,}"
        )
        raise BadFileError("unpacks to too much", message, path)


class _Bounded:
    """What a packed file holds, refused where that is out of all proportion to its size."""

    def __init__(self, read: Callable[[int], bytes], packed: BinaryIO, path: Path) -> None:
        self._read, self._packed, self._path = read, packed, path
        self._count = 0

    def read(self, size: int, /) -> bytes:
        data = self._read(size)
        self._count += len(data)
        if self._count > _UNPACKED_BYTES:
            refuse_bomb(self._count, self._packed.tell(), self._path)
        return data


class _ZstandardStream:
    """Unpacks frame after frame. Unlike the package's own reader it notices a cut-off file."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._frame = zstandard.ZstdDecompressor().decompressobj()
        self._inside = False
        self._waiting = b""
        self._unpacked = memoryview(b"")

    def read(self, size: int, /) -> bytes:
        if not self._unpacked:
            self._unpacked = memoryview(self._next(size))
        given, self._unpacked = self._unpacked[:size], self._unpacked[size:]
        return bytes(given)

    def _next(self, size: int) -> bytes:
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


def read_blocks(stream: Stream, name: str) -> Iterator[Block]:
    """Decode a stream block by block, with a byte order mark taken off.

    Lines that are too long or not UTF-8 are marked in their block. Raises BadFileError where the
    packed data is corrupt or unpacks to too much, or the text is UTF-16 or a ZIP archive.
    """
    first = 1
    # A pipe or terminal gives what it has: its lines are answered as they come.
    read = stream.read1 if isinstance(stream, io.BufferedReader) else stream.read
    for data in _cut_at_lines(_with_line_feeds(_guarded(read, name))):
        if data is None:
            block = _too_long(first)
        else:
            if first > 1 and not data.strip(b"\r"):
                return  # the other half of the last line's "\n\r"
            block = _decode(_without_mark(data, name) if first == 1 else data, first)
        first += len(block.lines)
        if block.lines:
            yield block


def _too_long(number: int) -> Block:
    message = f"line must have at most {LONGEST_LINE:,} bytes; got more"
    return Block(number, [""], {number: BadRecordError("line too long", message)})


def _guarded(read: Callable[[int], bytes], name: str) -> Callable[[int], bytes]:
    def guarded(size: int) -> bytes:
        try:
            return read(size)
        except _CORRUPT as error:
            message = f"file must be whole gzip or zstandard data; got: {error}"
            raise BadFileError("corrupt file", message, name) from None
        except OSError as error:
            message = f"file must be readable; got: {error.strerror or error}"
            raise BadFileError("unreadable file", message, name) from None

    return guarded


def _with_line_feeds(read: Callable[[int], bytes]) -> Iterator[bytes]:
    """All that is read, with ``\\n`` for ``\\r`` where the longest line would hold no ``\\n``.

    Nothing is held back that could be cut into lines.
    """
    begun: list[bytes] = []
    length, feeds = 0, False
    while not feeds and length <= LONGEST_LINE and (chunk := read(_BLOCK_BYTES)):
        begun.append(chunk)
        length += len(chunk)
        feeds = b"\n" in chunk
    returns = not feeds and any(b"\r" in chunk for chunk in begun)
    rest = iter(lambda: read(_BLOCK_BYTES), b"")
    for chunk in chain(begun, rest):
        yield chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if returns else chunk


def _cut_at_lines(chunks: Iterator[bytes]) -> Iterator[bytes | None]:
    """Whole lines together; None in the place of one that is too long."""
    pieces: list[bytes] = []
    held = 0  # bytes of the line that has not ended yet, whether kept or not
    for chunk in chunks:
        first, end = chunk.find(b"\n") + 1, chunk.rfind(b"\n") + 1
        if held + (first or len(chunk)) > LONGEST_LINE + 1:  # its end counts for one
            pieces = []
            if first:
                yield None
            chunk, end = chunk[first:], end - first
        if end > 0:
            yield b"".join([*pieces, chunk[:end]])
            chunk = chunk[end:]
        if first:
            pieces, held = [], 0
        held += len(chunk)
        if held <= LONGEST_LINE:
            pieces.append(chunk)
    if held > LONGEST_LINE:
        yield None
    elif held:
        yield b"".join(pieces)


def _without_mark(data: bytes, name: str) -> bytes:
    if data.startswith(_MARKS) or _is_wide(data[:_LOOKED_AT]):
        raise BadFileError("not UTF-8", "file must be UTF-8 text; got UTF-16", name)
    for mark, what in _NO_TEXT.items():
        if data.startswith(mark):
            raise BadFileError("not text", f"file must be UTF-8 text; got {what}", name)
    return data.removeprefix(codecs.BOM_UTF8)


def _is_wide(data: bytes) -> bool:
    """Whether nearly every other byte, and hardly one between, is zero: UTF-16 without a mark."""
    zeros = sorted(data[start::2].count(0) for start in (0, 1))
    half = len(data) / 2
    return len(data) >= _ENOUGH and zeros[0] < half / 10 and zeros[1] > half * 2 / 3


def _decode(data: bytes, first: int) -> Block:
    try:
        return Block(first, _split(data.decode()))
    except UnicodeDecodeError:
        pass
    lines = _split(data.decode(errors="surrogateescape"))
    bad = {}
    for number, line in enumerate(lines, first):
        try:
            line.encode()
        except UnicodeEncodeError as error:
            byte = ord(line[error.start]) - 0xDC00
            message = (
                f"line must be UTF-8 text; got byte 0x{byte:02x} at character {error.start + 1}"
            )
            bad[number] = BadRecordError("not UTF-8", message)
    return Block(first, lines, bad)


def _split(text: str) -> list[str]:
    if "\n\ufeff" in text:  # the mark of a file that was joined to another
        text = text.replace("\n\ufeff", "\n")
    lines = text.split("\n")
    if not lines[-1]:
        lines.pop()
    return [line.strip("\r") for line in lines] if "\r" in text else lines
