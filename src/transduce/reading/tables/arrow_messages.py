"""How large the messages of an Arrow stream are, before any memory is asked for.

A stream is a row of messages, each a small flatbuffer and a body
(https://arrow.apache.org/docs/format/Columnar.html). Packed buffers begin with the size that they
claim to unpack to, which the library believes; here the claims are added up.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

__all__ = ["Message", "messages"]

_MOST_METADATA = 1 << 26  # bytes: of a schema of ten thousand columns, a few MB
_DICTIONARY, _RECORDS = 2, 3  # kinds of message


@dataclass(frozen=True, slots=True)
class Message:
    """Bytes of a message's body as it stands in the file, and what it unpacks to."""

    body: int
    unpacked: int


def messages(file: BinaryIO) -> Iterator[Message]:
    """Every message to the stream's end. Raises ValueError for what is no Arrow stream."""
    while prefix := file.read(4):
        if prefix == b"\xff\xff\xff\xff":  # since version 0.15
            prefix = file.read(4)
        size = _integer("<i", prefix, 0)
        if size == 0:
            return
        if not 0 < size <= _MOST_METADATA:
            raise ValueError(f"message must have 1 to {_MOST_METADATA:,} bytes; got {size:,}")
        table = _Table.root(file.read(size))
        body = table.integer(3, "<q")
        if body < 0:
            raise ValueError(f"body must have at least 0 bytes; got {body:,}")
        start = file.tell()
        yield Message(body, max(body, _unpacked(table, file, start)))
        file.seek(start + body)


def _unpacked(message: _Table, file: BinaryIO, start: int) -> int:
    """The sizes that packed buffers claim, together; 0 where none is packed."""
    kind, batch = message.integer(1, "<B"), message.table(2)
    if kind == _DICTIONARY and batch is not None:
        batch = batch.table(1)
    if kind not in (_DICTIONARY, _RECORDS) or batch is None or not batch.offset(3):
        return 0
    total = 0
    for place, length in batch.pairs(2):
        if length <= 0:
            continue
        file.seek(max(0, start + place))
        claimed = _integer("<q", file.read(8), 0)
        total += length if claimed < 0 else claimed
    return total


class _Table:
    """A table of a flatbuffer: fields by number, each perhaps missing."""

    def __init__(self, data: bytes, place: int) -> None:
        self._data, self._place = data, place
        self._fields = place - _integer("<i", data, place)

    @classmethod
    def root(cls, data: bytes) -> _Table:
        """The outermost table."""
        return cls(data, _integer("<I", data, 0))

    def offset(self, field: int) -> int:
        """Where a field stands, from the table's beginning; 0 where it is missing."""
        entry = 4 + 2 * field
        if entry + 2 > _integer("<H", self._data, self._fields):
            return 0
        return _integer("<H", self._data, self._fields + entry)

    def integer(self, field: int, form: str) -> int:
        """A number; 0 where it is missing."""
        offset = self.offset(field)
        return _integer(form, self._data, self._place + offset) if offset else 0

    def table(self, field: int) -> _Table | None:
        """A table in the table."""
        offset = self.offset(field)
        if not offset:
            return None
        place = self._place + offset
        return _Table(self._data, place + _integer("<I", self._data, place))

    def pairs(self, field: int) -> Iterator[tuple[int, int]]:
        """A vector of pairs of int64."""
        offset = self.offset(field)
        if not offset:
            return iter(())
        place = self._place + offset
        place += _integer("<I", self._data, place)
        first, count = place + 4, _integer("<I", self._data, place)
        if first + 16 * count > len(self._data):
            raise ValueError("vector must end within its message")
        return struct.iter_unpack("<qq", self._data[first : first + 16 * count])


def _integer(form: str, data: bytes, place: int) -> int:
    if not 0 <= place <= len(data) - struct.calcsize(form):
        raise ValueError("message must be whole")
    number: int = struct.unpack_from(form, data, place)[0]
    return number
