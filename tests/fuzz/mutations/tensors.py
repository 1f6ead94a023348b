"""Files of tensors: their headers as JSON, their numbers as floats, their parts exchanged."""

from __future__ import annotations

import json
import struct
from random import Random

from fuzz.mutations.octets import NUMBERS, octets
from fuzz.mutations.values import changed

__all__ = ["odd_floats", "swapped_tensors", "tensor_file"]

_TYPES = [
    *("F64", "F32", "F16", "BF16", "I64", "I32", "I16", "I8", "U8", "BOOL", "F8_E4M3", "U64", "X"),
]
_FLOATS = [
    struct.pack("<f", value)
    for value in (float("nan"), float("inf"), float("-inf"), 3e38, -3e38, 1e-45, 0.0, -0.0, 1e9)
]
_HEAD = 8  # bytes of the header's length


def odd_floats(chance: Random, data: bytes) -> bytes:
    """NaN, infinite and huge numbers in the place of others."""
    out = bytearray(data)
    for _ in range(chance.choice([1, 1, 3])):
        if len(out) >= 4:
            place = chance.randrange(len(out) // 4) * 4
            out[place : place + 4] = chance.choice(_FLOATS)
    return bytes(out)


def tensor_file(chance: Random, data: bytes) -> bytes:
    """The header, the numbers or the bytes of a safetensors file damaged."""
    draw = chance.random()
    parts = _parts(data)
    if parts is None or draw < 0.2:
        return octets(chance, data)
    header, body = parts
    if draw < 0.35:
        return _file(header, odd_floats(chance, body), chance)
    if draw < 0.45:
        return _file(header, octets(chance, body), chance)
    if draw < 0.55:
        return swapped_tensors(chance, data)
    try:
        values = changed(chance, json.loads(header), _TYPES)
        new = json.dumps(values).encode("utf-8", "surrogatepass")
    except (ValueError, RecursionError):
        new = octets(chance, header)
    return _file(new, body, chance)


def swapped_tensors(chance: Random, data: bytes) -> bytes:
    """Two tensors that change places by their names: nothing but a checksum tells."""
    parts = _parts(data)
    if parts is None:
        return octets(chance, data)
    try:
        values = json.loads(parts[0])
        names = [name for name in values if name != "__metadata__"]
        one = chance.choice(names)
        alike = [n for n in names if n != one and values[n]["shape"] == values[one]["shape"]]
        other = chance.choice(alike or names)
        values[one], values[other] = values[other], values[one]
    except (ValueError, KeyError, TypeError, IndexError, RecursionError):
        return octets(chance, data)
    return _file(json.dumps(values).encode(), parts[1], chance)


def _parts(data: bytes) -> tuple[bytes, bytes] | None:
    if len(data) < _HEAD:
        return None
    size = struct.unpack_from("<Q", data)[0]
    if size > len(data) - _HEAD:
        return None
    return data[_HEAD : _HEAD + size], data[_HEAD + size :]


def _file(header: bytes, body: bytes, chance: Random) -> bytes:
    size = len(header) if chance.random() < 0.97 else chance.choice(NUMBERS) % (1 << 64)
    return struct.pack("<Q", size) + header + body
