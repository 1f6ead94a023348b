"""Bytes: flipped, cut, inserted, moved, and numbers put where sizes and places may stand."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from random import Random

from fuzz.harness import Mutation

__all__ = ["NUMBERS", "at_end", "at_start", "octets", "several"]

# Where arithmetic goes wrong: around powers of two, of both signs.
NUMBERS = sorted(
    {
        sign * (1 << power) + step
        for power in (0, 3, 7, 8, 15, 16, 24, 31, 32, 40, 62, 63, 64)
        for step in (-1, 0, 1)
        for sign in (1, -1)
    }
)
_FORMS = "bhiq"
_MOST = 1 << 20  # bytes of an input: what is large has harnesses of its own


def several(*mutations: Mutation, most: int = 4) -> Mutation:
    """One to ``most`` of the mutations, drawn anew each time, mostly one."""

    def mutate(chance: Random, data: bytes) -> bytes:
        count = 1 if chance.random() < 0.5 else chance.randint(1, most)
        for _ in range(count):
            data = chance.choice(mutations)(chance, data)
        return data[:_MOST]

    return mutate


def _flip(chance: Random, data: bytes) -> bytes:
    place = chance.randrange(len(data))
    return _put(data, place, bytes([data[place] ^ 1 << chance.randrange(8)]))


def _replace(chance: Random, data: bytes) -> bytes:
    place = chance.randrange(len(data))
    return _put(data, place, chance.randbytes(chance.choice([1, 1, 2, 4, 8])))


def _number(chance: Random, data: bytes) -> bytes:
    """An odd number in the place of another, often where headers have them."""
    place = chance.randrange(min(len(data), 64) if chance.random() < 0.4 else len(data))
    if chance.random() < 0.6:
        place &= -4
    return _put(data, place, _odd(chance))


def _step(chance: Random, data: bytes) -> bytes:
    """A number a little larger or smaller."""
    form, order = chance.choice("BHIQ"), chance.choice("<>")
    size = struct.calcsize(form)
    place = chance.randrange(len(data))
    own = data[place : place + size].ljust(size, b"\0")
    number = struct.unpack(order + form, own)[0] + chance.choice([-16, -4, -1, 1, 2, 4, 16, 255])
    return _put(data, place, struct.pack(order + form, number % (1 << 8 * size)))


def _cut(chance: Random, data: bytes) -> bytes:
    first, last = _piece(chance, data)
    return data[:first] + data[last:]


def _shorten(chance: Random, data: bytes) -> bytes:
    place = chance.randrange(len(data))
    return data[:place] if chance.random() < 0.8 else data[place:]


def _insert(chance: Random, data: bytes) -> bytes:
    place = chance.randint(0, len(data))
    new = chance.choice(
        [
            chance.randbytes(chance.choice([1, 4, 16])),
            bytes([chance.choice([0, 255, 10, 32])]) * chance.choice([1, 8, 300, 5000]),
            _odd(chance),
        ]
    )
    return data[:place] + new + data[place:]


def _double(chance: Random, data: bytes) -> bytes:
    first, last = _piece(chance, data)
    place = chance.randint(0, len(data))
    times = chance.choice([1, 1, 2, 50])
    return data[:place] + data[first:last] * times + data[place:]


def _move(chance: Random, data: bytes) -> bytes:
    """A piece written over another."""
    first, last = _piece(chance, data)
    return _put(data, chance.randrange(len(data)), data[first:last])


def _fill(chance: Random, data: bytes) -> bytes:
    first, last = _piece(chance, data)
    return _put(data, first, bytes([chance.choice([0, 255, 128, 127, 1])]) * (last - first))


def _exchange(chance: Random, data: bytes) -> bytes:
    (a, b), (c, d) = sorted([_piece(chance, data), _piece(chance, data)])
    if b > c:
        return data[::-1] if len(data) < 64 else data
    return data[:a] + data[c:d] + data[b:c] + data[a:b] + data[d:]


def _odd(chance: Random) -> bytes:
    form = chance.choice(_FORMS)
    size = struct.calcsize(form)
    number = chance.choice(NUMBERS) % (1 << 8 * size)
    return struct.pack(chance.choice("<<<>") + form.upper(), number)


def _piece(chance: Random, data: bytes) -> tuple[int, int]:
    first = chance.randrange(len(data))
    longest = chance.choice([1, 4, 16, 64, len(data)])
    return first, min(len(data), first + chance.randint(1, longest))


def _put(data: bytes, place: int, new: bytes) -> bytes:
    return data[:place] + new + data[place + len(new) :]


_ALL: Sequence[Mutation] = (
    *(_flip, _flip, _replace, _number, _number, _step, _cut, _shorten),
    *(_insert, _double, _move, _fill, _exchange),
)


def _one(chance: Random, data: bytes) -> bytes:
    return chance.choice(_ALL)(chance, data) if data else chance.randbytes(chance.randrange(9))


octets: Mutation = several(_one)


def at_start(size: int) -> Mutation:
    """Only the first bytes are damaged: a header's."""
    return lambda chance, data: octets(chance, data[:size]) + data[size:]


def at_end(size: int) -> Mutation:
    """Only the last bytes are damaged: a footer's."""
    return lambda chance, data: data[:-size] + octets(chance, data[-size:])
