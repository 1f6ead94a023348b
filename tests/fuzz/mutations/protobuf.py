"""Protocol buffers: a field's number, type, length or value changed, fields gone or doubled."""

from __future__ import annotations

import struct
from random import Random

from fuzz.mutations.octets import NUMBERS, octets
from fuzz.mutations.text import TEXTS

__all__ = ["protobuf"]

Field = tuple[int, int, bytes]  # number, type, value as it stands


def protobuf(chance: Random, data: bytes, deep: int = 3) -> bytes:
    """A message with some of its fields damaged, those of messages inside too."""
    if chance.random() < 0.15:
        return octets(chance, data)
    fields = _fields(data)
    if not fields:
        return octets(chance, data)
    for _ in range(chance.choice([1, 1, 1, 2, 4])):
        if not fields:
            break
        place = _place(chance, fields)
        _change(chance, fields, place, deep)
    return b"".join(_key(number, kind) + value for number, kind, value in fields)


def _place(chance: Random, fields: list[Field]) -> int:
    """Of a kind first, then one of it: there are many pieces and one trainer."""
    number = chance.choice(sorted({number for number, _, _ in fields}))
    return chance.choice([n for n, field in enumerate(fields) if field[0] == number])


def _change(chance: Random, fields: list[Field], place: int, deep: int) -> None:
    number, kind, value = fields[place]
    match chance.randrange(10):
        case 0:
            del fields[place]
        case 1:
            fields[place:place] = [fields[place]] * chance.choice([1, 1, 400])
        case 2:
            other = chance.randrange(len(fields))
            fields[place], fields[other] = fields[other], fields[place]
        case 3:
            fields[place] = (chance.choice([0, 1, 2, 3, 35, 36, 1 << 20]), kind, value)
        case 4:
            fields[place] = (number, chance.choice([0, 1, 2, 3, 5, 7]), value)
        case _:
            fields[place] = (number, kind, _value(chance, kind, value, deep))


def _value(chance: Random, kind: int, value: bytes, deep: int) -> bytes:
    if kind == 0:
        return _varint(chance.choice([0, 1, 2, 3, 4, 5, 6, 7, *NUMBERS]) % (1 << 64))
    if kind == 5:
        floats = [0.0, -1.0, 1e38, -1e38, float("nan"), float("inf"), float("-inf"), 1e-45]
        return struct.pack("<f", chance.choice(floats))
    if kind == 1:
        return chance.randbytes(8)
    try:
        inside, start = _read(value, 0)
    except IndexError:  # a change before this one made another type of it
        return octets(chance, value)
    content = value[start : start + inside]
    if deep and _fields(content) and chance.random() < 0.75:
        content = protobuf(chance, content, deep - 1)
    elif chance.random() < 0.5:
        content = chance.choice(TEXTS).encode("utf-8", "surrogatepass")
    else:
        content = octets(chance, content)
    length = len(content) if chance.random() < 0.95 else chance.choice(NUMBERS) % (1 << 64)
    return _varint(length) + content


def _fields(data: bytes) -> list[Field]:
    """Fields in order; none where the bytes are no message."""
    fields: list[Field] = []
    place = 0
    try:
        while place < len(data):
            key, place = _read(data, place)
            kind, start = key & 7, place
            if kind == 0:
                _, place = _read(data, place)
            elif kind == 2:
                size, place = _read(data, place)
                place += size
            else:
                place += {1: 8, 5: 4}[kind]
            if place > len(data) or not key >> 3:
                return []
            fields.append((key >> 3, kind, data[start:place]))
    except (IndexError, KeyError):
        return []
    return fields


def _read(data: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[place]
        value |= (byte & 127) << shift
        place, shift = place + 1, shift + 7
        if byte < 128:
            return value, place


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def _key(number: int, kind: int) -> bytes:
    return _varint(number << 3 | kind)
