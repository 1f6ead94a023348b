"""How large the pages of a Parquet file are, told by their own headers before they are unpacked.

The footer's sizes are one more claim of the file; pages are what the library allocates by. A page
begins with a header in Thrift's compact protocol (https://github.com/apache/parquet-format,
``PageHeader``), of which a few numbers are read here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

__all__ = ["Page", "pages"]

_HEADERS = (1 << 10, 1 << 16, 1 << 20, 1 << 24)  # bytes looked at: min and max stand in headers
_DEEPEST = 16  # structs in structs
_DICTIONARY_PAGE = 2
# Encodings by which a few bytes stand for many: numbers of dictionary entries, shared prefixes.
_REPEATING = {2, 7, 8}

_TRUE, _FALSE, _BYTE, _DOUBLE, _BINARY, _STRUCT = 1, 2, 3, 7, 8, 12
_INTEGERS = (4, 5, 6)


@dataclass(frozen=True, slots=True)
class Page:
    """``size`` bytes unpacked, ``values`` in them; ``repeats`` where a value may stand for more."""

    size: int
    values: int
    repeats: bool


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
        repeats = is_dictionary or own.get(4 if 8 in header else 2) in _REPEATING
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
        fields: dict[int, Any] = {}
        number = 0
        while byte := self._byte():
            step, kind = byte >> 4, byte & 15
            number = number + step if step else self._zigzag()
            fields[number] = self._value(kind, deepest)
        return fields

    def _value(self, kind: int, deepest: int) -> Any:
        if kind in (_TRUE, _FALSE):
            return kind == _TRUE
        if kind in _INTEGERS:
            return self._zigzag()
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

    def _zigzag(self) -> int:
        value = self._varint()
        return value >> 1 ^ -(value & 1)
