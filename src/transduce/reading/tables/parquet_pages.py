"""Where the columns of a Parquet file stand, and how large their pages are once unpacked.

The footer's sizes are one more claim of the file; pages are what the library allocates by. Both are
in Thrift's compact protocol (https://github.com/apache/parquet-format, ``FileMetaData`` and
``PageHeader``), of which a few numbers are read here: asked for the place of a column whose
statistics are damaged, the library ends the process.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

__all__ = ["Chunk", "Page", "chunks", "pages"]

_LARGEST_FOOTER = 1 << 24  # bytes; a hundred thousand chunks of columns need as many
_END = 8  # bytes behind the footer: its length and PAR1

_HEADERS = (1 << 10, 1 << 16, 1 << 20, 1 << 24)  # bytes looked at: min and max stand in headers
_DEEPEST = 16  # structs in structs
_DICTIONARY_PAGE = 2
# Encodings by which a few bytes stand for many: numbers of dictionary entries, shared prefixes.
_REPEATING = {2, 7, 8}

_TRUE, _FALSE, _BYTE, _DOUBLE, _BINARY, _LIST, _STRUCT = 1, 2, 3, 7, 8, 9, 12
_INTEGERS = (4, 5, 6)


@dataclass(frozen=True, slots=True)
class Chunk:
    """A chunk of a column, that of a group of rows: its bytes in the file, and its values."""

    group: int
    column: int  # of the schema's leaves
    start: int
    end: int
    values: int


@dataclass(frozen=True, slots=True)
class Page:
    """``size`` bytes unpacked, ``values`` in them; ``repeats`` where a value may stand for more."""

    size: int
    values: int
    repeats: bool


def chunks(file: BinaryIO, size: int) -> Iterator[Chunk]:
    """All chunks of a file of so many bytes, group by group. Raises ValueError for damaged ones."""
    if size < _END:
        raise ValueError("file has no footer")
    file.seek(size - _END)
    length = int.from_bytes(file.read(4), "little")
    if length > min(_LARGEST_FOOTER, size - _END):
        raise ValueError(f"footer must have {_LARGEST_FOOTER:,} bytes at most; got {length:,}")
    file.seek(size - _END - length)
    reader = _Compact(file.read(length))
    try:
        for number, kind in reader.fields():
            if number != 4:
                reader.skip(kind, _DEEPEST)
                continue
            for group in range(reader.count(_STRUCT)):
                yield from _of_group(reader, group)
    except IndexError:
        raise ValueError("footer is cut off") from None


def _of_group(reader: _Compact, group: int) -> Iterator[Chunk]:
    for number, kind in reader.fields():
        if number != 1:
            reader.skip(kind, _DEEPEST)
            continue
        for column in range(reader.count(_STRUCT)):
            for number, inner in reader.fields():
                if number == 3 and inner == _STRUCT:
                    yield _chunk(reader, group, column)
                else:
                    reader.skip(inner, _DEEPEST)


def _chunk(reader: _Compact, group: int, column: int) -> Chunk:
    """Of ``ColumnMetaData``."""
    found: dict[int, int] = {}
    for number, kind in reader.fields():
        if kind in _INTEGERS:
            found[number] = reader.integer()
        else:
            reader.skip(kind, _DEEPEST)
    start = _number(found, 9)
    if dictionary := _number(found, 11):
        start = min(start, dictionary)
    return Chunk(group, column, start, start + _number(found, 7), _number(found, 5))


def pages(file: BinaryIO, start: int, end: int, values: int) -> Iterator[Page]:
    """The pages of a column's chunk of so many values. Raises ValueError for damaged headers."""
    place, seen = start, 0
    while place < end and seen < values:
        header, length = _header(file, place)
        size, packed = _number(header, 2), _number(header, 3)
        # one of data page, dictionary page and data page of version 2
        own: dict[int, Any] = next(filter(None, map(header.get, (5, 7, 8))), {})
        if not isinstance(own, dict):
            raise ValueError("header of a page holds no kind")
        is_dictionary = header.get(1) == _DICTIONARY_PAGE
        count = _number(own, 1)
        repeats = is_dictionary or _number(own, 4 if 8 in header else 2) in _REPEATING
        yield Page(size, count, repeats)
        if not is_dictionary:
            seen += count
        place += length + packed


def _number(values: dict[int, Any], key: int) -> int:
    found = values.get(key, 0)
    if not isinstance(found, int) or found < 0:
        raise ValueError("header of a page holds no size")
    return found


def _header(file: BinaryIO, place: int) -> tuple[dict[int, Any], int]:
    for most in _HEADERS:
        file.seek(place)
        data = file.read(most)
        try:
            reader = _Compact(data)
            return reader.struct(_DEEPEST), reader.place
        except IndexError:
            if len(data) < most:
                break
    raise ValueError("header of a page is cut off")


class _Compact:
    """Reads Thrift's compact protocol. Raises IndexError at the end of its bytes."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.place = 0

    def struct(self, deepest: int) -> dict[int, Any]:
        """Its fields by number."""
        if not deepest:
            raise ValueError("header of a page is nested too deep")
        return {number: self._value(kind, deepest) for number, kind in self.fields()}

    def fields(self) -> Iterator[tuple[int, int]]:
        """Number and kind of each; whoever asks reads or skips its value before the next."""
        number = 0
        while byte := self._byte():
            step, kind = byte >> 4, byte & 15
            number = number + step if step else self.integer()
            yield number, kind

    def count(self, kind: int) -> int:
        """How many values of a kind follow, as a list."""
        byte = self._byte()
        if byte & 15 != kind:
            raise ValueError("list holds values of another kind")
        return byte >> 4 if byte < 0xF0 else self._varint()

    def skip(self, kind: int, deepest: int) -> None:
        """Go over a value."""
        if not deepest:
            raise ValueError("values are nested too deep")
        if kind == _STRUCT:
            for _, inner in self.fields():
                self.skip(inner, deepest - 1)
        elif kind == _LIST:
            inner = self._data[self.place] & 15
            for _ in range(self.count(inner)):
                # within lists truth has a byte of its own
                self.skip(_BYTE if inner in (_TRUE, _FALSE) else inner, deepest - 1)
        else:
            self._value(kind, deepest)

    def _value(self, kind: int, deepest: int) -> Any:
        if kind in (_TRUE, _FALSE):
            return kind == _TRUE
        if kind in _INTEGERS:
            return self.integer()
        if kind == _STRUCT:
            return self.struct(deepest - 1)
        if kind in (_BYTE, _DOUBLE, _BINARY):
            return self._skip({_BYTE: 1, _DOUBLE: 8}.get(kind) or self._varint())
        raise ValueError("header of a page holds a list or a map")  # none has one

    def _skip(self, count: int) -> None:
        self.place += count
        if self.place > len(self._data):
            raise IndexError

    def _byte(self) -> int:
        byte = self._data[self.place]
        self.place += 1
        return byte

    def _varint(self) -> int:
        value = shift = 0
        while (byte := self._byte()) & 128:
            value |= (byte & 127) << shift
            shift += 7
            if shift > 63:
                raise ValueError("header of a page holds an endless number")
        return value | byte << shift

    def integer(self) -> int:
        """A whole number with a sign."""
        value = self._varint()
        return value >> 1 ^ -(value & 1)
