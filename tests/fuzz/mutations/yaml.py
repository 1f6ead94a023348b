"""YAML: values changed, and what only YAML has: anchors, tags, merges, dates, several documents."""

from __future__ import annotations

import re
from collections.abc import Sequence
from random import Random
from typing import Any

import yaml

from fuzz.harness import Mutation
from fuzz.mutations.text import text
from fuzz.mutations.values import changed

__all__ = ["yaml_with"]

_SCALARS = [
    *("0x_", "0o17", "1:30:00", "2020-13-45", "2020-01-01", "2020-01-01 00:00:00 +99:99", ".inf"),
    *("-.inf", ".nan", "1_000", "1e3", "0b", "~", "yes", "off", "!!binary QUJD", "!!int x", "'"),
    *("!!python/object/apply:os.system ['id']", "!!python/name:os.system", "!!set {a, b}", "*a"),
    *("!!timestamp x", "!!float x", "!!null x", "!!omap [a: 1]", "&a [*a]", "{? [a, b] : c}"),
    *("{a: &x [1], b: *x}", "{<<: {a: 1}}", "{<<: 1}", "{<<: [1]}", "[a, b", "{a: b", "|", ">-"),
    *('"\\ud800"', '"\\x00"', "'\u2028'", "\t", "@", "`", "%", "#", "? a", "- a", "- - - - a"),
    *("!!str 1", "! a", "!<tag:yaml.org,2002:str> a", "=", "<<", "9" * 5000, "0." + "1" * 400),
]


def _nested(first: str, one: str) -> str:
    """Nine aliases of nine aliases of …: short, and endless when it is written out."""
    rows = [first]
    for n in range(9):
        inner = ", ".join([f"*a{n}"] * 9)
        rows.append(f"a{n + 1}: &a{n + 1} {one.format(inner)}")
    return "\n".join(rows) + "\n"


_WHOLE = [
    _nested("a0: &a0 [x, x, x]", "[{}]"),
    _nested("a0: &a0 {x: 1}", "{{<<: [{}]}}"),
    "--- a\n--- b\n",
    "%YAML 9.9\n---\na: 1\n",
    "%TAG ! tag:x,2002:\n---\n!a b\n",
    "- " * 3000,
    "? " * 3000,
    "[" * 5000,
    "{" * 5000,
    "a: " * 100,
    "&a " * 1000,
    "!" * 1000,
    "'" * 9999,
    "|\n" + " " * 9999 + "a",
    "a:\n" + "".join(f"{' ' * n}b:\n" for n in range(1, 400)),
    "data: &d\n  parts: *d\n",
    "model: &m\n  encoder: {kind: gru, <<: *m}\n",
]  # fmt: skip
_VALUE = re.compile(rb"(?<=: )[^\s{\[][^\n]*|(?<=- )[^\n]+")


def yaml_with(*own: Any) -> Mutation:
    """A mutation of a text of YAML that puts these values in as well."""

    def mutate(chance: Random, data: bytes) -> bytes:
        draw = chance.random()
        if draw < 0.55:
            return _changed_values(chance, data, own)
        if draw < 0.8:
            return _scalar(chance, data)
        if draw < 0.85:
            return chance.choice([b"", data]) + chance.choice(_WHOLE).encode()
        return text(chance, data)

    return mutate


def _changed_values(chance: Random, data: bytes, own: Sequence[Any]) -> bytes:
    try:
        value = changed(chance, yaml.safe_load(data), own)
        flow = chance.choice([None, None, True, False])
        found = yaml.safe_dump(value, sort_keys=False, default_flow_style=flow, allow_unicode=True)
        return found.encode("utf-8", "surrogatepass")
    except (yaml.YAMLError, ValueError, RecursionError, TypeError, AttributeError):
        return text(chance, data)


def _scalar(chance: Random, data: bytes) -> bytes:
    found = list(_VALUE.finditer(data))
    if not found:
        return text(chance, data)
    place = chance.choice(found)
    return data[: place.start()] + chance.choice(_SCALARS).encode() + data[place.end() :]
