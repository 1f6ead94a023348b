"""Values of JSON (and what else is lists, mappings and plain values): hostile ones put in."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

from fuzz.harness import Mutation
from fuzz.mutations.octets import NUMBERS
from fuzz.mutations.text import TEXTS, text

__all__ = ["HOSTILE", "changed", "json_lines", "json_text", "json_with"]

HOSTILE: Sequence[Any] = (
    *(None, True, False, [], {}, [[]], [{}], [None], {"a": 1}, ["a", "b"], [0], [1, 2, 3]),
    [[1, 2]],
    *(0, 1, 2, -1, 3, 7, 100, 1000, 10**6, 10**9, 10**12, 10**18, *NUMBERS),
    *(0.0, -0.0, 0.5, 1.0, 1.5, -1.5, 1e-320, 1e308, float("nan"), float("inf"), float("-inf")),
    *TEXTS,
    *("\ud800", "a\udcff", "cpu", "none", "auto", "text", "model.safetensors", "config.yaml"),
)  # fmt: skip
_LITTLE = 40  # a container with more is changed less often: a vocabulary among options
_DEEP = 3000


def changed(chance: Random, value: Any, own: Sequence[Any] = ()) -> Any:
    """A copy with one to three of its places changed; ``own`` values are put in too."""
    value = copy.deepcopy(value)
    hostile = (*own, *own, *own, *HOSTILE) if own else HOSTILE
    for _ in range(chance.choice([1, 1, 1, 2, 3])):
        places = list(_places(value))
        few = [place for place in places if len(place[0]) < _LITTLE]
        if few and chance.random() < 0.8:
            places = few
        if not places:
            return copy.deepcopy(chance.choice(hostile))
        holder, key = chance.choice(places)
        _change(chance, holder, key, places, hostile)
    return value


def _change(
    chance: Random,
    holder: Any,
    key: Any,
    places: Sequence[tuple[Any, Any]],
    hostile: Sequence[Any],
) -> None:
    draw = chance.random()
    if draw < 0.5:
        holder[key] = copy.deepcopy(chance.choice(hostile))
    elif draw < 0.62:
        del holder[key]
    elif draw < 0.74:
        other, its = chance.choice(places)
        holder[key] = copy.deepcopy(other[its])
    elif draw < 0.84 and isinstance(holder[key], int | float):
        holder[key] = chance.choice([-1, 1, 2, 1000]) + holder[key]
    elif draw < 0.9 and isinstance(holder[key], int | float):
        factor = chance.choice([-1, 2, 1000, 0.5])
        try:
            holder[key] = holder[key] * factor
        except OverflowError:  # a whole number beyond every float, from a round before
            holder[key] = -holder[key]
    elif draw < 0.95 and isinstance(holder, list):
        holder[key:key] = [copy.deepcopy(holder[key])] * chance.choice([1, 1, 300])
    elif isinstance(holder, dict):
        holder[chance.choice(TEXTS)] = copy.deepcopy(chance.choice([holder[key], *hostile[:20]]))
    else:
        holder[key] = [holder[key]]


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    keys = value if isinstance(value, dict) else range(len(value) if isinstance(value, list) else 0)
    for key in list(keys):
        yield value, key
        yield from _places(value[key])


def _dumped(chance: Random, value: Any) -> bytes:
    found = json.dumps(value, ensure_ascii=chance.random() < 0.5)
    return found.encode("utf-8", "surrogatepass")


def _spoilt(chance: Random, data: bytes) -> bytes:
    """What no value of JSON becomes: keys twice, endless nesting, two values."""
    match chance.randrange(5):
        case 0:
            keys = list(re.finditer(rb'"[^"\\]*"\s*:', data))
            if keys:
                key = chance.choice(keys)
                again = key.group() + chance.choice([b"1", b"null", b'"a"', b"{}", b"[]"]) + b","
                return data[: key.start()] + again + data[key.start() :]
        case 1:
            found = chance.choice([b"[", b'{"a":', b"[{", b"{"])
            return found * chance.choice([100, 1000, _DEEP * 30])
        case 2:
            return data + data
        case 3:
            return b"\xef\xbb\xbf" + data
        case 4:
            return re.sub(rb'":\s*"', b'": [[[[[[[["', data, count=1)
    return data


def json_with(*own: Any) -> Mutation:
    """A mutation of a text of JSON that puts these values in as well."""

    def mutate(chance: Random, data: bytes) -> bytes:
        draw = chance.random()
        if draw < 0.12:
            return text(chance, data)
        if draw < 0.17:
            return _spoilt(chance, data)
        try:
            value = json.loads(data)
            return _dumped(chance, changed(chance, value, own))
        except (ValueError, RecursionError):
            return text(chance, data)

    return mutate


json_text: Mutation = json_with()


def json_lines(chance: Random, data: bytes) -> bytes:
    """One of the lines is changed as JSON, or all of them as text."""
    if chance.random() < 0.4:
        return text(chance, data)
    rows = data.split(b"\n")
    place = chance.randrange(len(rows))
    rows[place] = json_text(chance, rows[place])
    return b"\n".join(rows)
