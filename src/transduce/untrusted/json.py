"""JSON that nobody vouches for: bounded in size and depth, no key twice, every number one.

Python's own reader takes more than JSON is: ``NaN``, a key given twice (the last one counts), an
unpaired surrogate, which no file can hold. And a few megabytes of brackets become gigabytes.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from transduce.errors import ModelError
from transduce.untrusted.bounded import MEGABYTE, read_text

__all__ = ["LARGEST", "parse_json", "read_json", "read_object"]

LARGEST = 96 * MEGABYTE  # the tokenizers of the largest vocabularies have 40
_MOST_CONTAINERS = 2_000_000  # objects and arrays, of some 60 bytes each
_MOST_VALUES = 4_000_000
_DEEPEST = 64
_DIGITS = 18  # of an integer that certainly fits into 64 bits
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


OddNumbers = Literal["refused", "none", "kept"]


def parse_json(text: str, *, odd_numbers: OddNumbers = "refused") -> Any:
    """The value that a text of JSON stands for; integers beyond 64 bits become floats.

    ``odd_numbers`` are NaN and infinite ones, which may become None. Raises ValueError, its text
    the reason in a few words.
    """
    for count, most, what in (
        (text.count("[") + text.count("{"), _MOST_CONTAINERS, "objects and arrays"),
        (text.count(","), _MOST_VALUES, "values"),
    ):
        if count > most:
            raise ValueError(f"it must have {most:,} {what} at most; got {count:,}")

    def decimal(digits: str) -> float | None:
        number = float(digits)  # of NaN and Infinity too
        if odd_numbers == "kept" or math.isfinite(number):
            return number
        if odd_numbers == "none":
            return None
        raise ValueError(f"numbers must be finite; got {digits[:20]}")

    def integer(digits: str) -> float | None:
        if len(digits) <= _DIGITS:
            return int(digits)
        if len(digits) <= _DIGITS + 2 and -(2**63) <= (number := int(digits)) < 2**63:
            return number
        return decimal(digits)

    try:
        value = json.loads(
            text,
            object_pairs_hook=_unique,
            parse_constant=decimal,
            parse_float=decimal,
            parse_int=integer,
        )
    except RecursionError:
        raise ValueError(f"it must be nested {_DEEPEST} deep at most") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"{error.msg} in line {error.lineno}") from None
    _require_shallow(value)
    if _SURROGATE.search(text):
        for found in _texts(value):
            if not found.isascii():
                _require_unicode(found)
    return value


def read_json(path: str | Path, *, odd_numbers: OddNumbers = "refused") -> Any:
    """A file of JSON, as :func:`parse_json`. Raises ModelError naming the file."""
    try:
        return parse_json(read_text(path, LARGEST), odd_numbers=odd_numbers)
    except OSError as error:
        raise ModelError(f"{path} must be readable JSON; {error.strerror}") from None
    except UnicodeDecodeError:
        raise ModelError(f"{path} must be readable JSON; it is no UTF-8") from None
    except ValueError as error:
        raise ModelError(f"{path} must be readable JSON; {error}") from None


def read_object(path: str | Path, *, odd_numbers: OddNumbers = "refused") -> dict[str, Any]:
    """A file that holds a JSON object. Raises ModelError naming the file."""
    value = read_json(path, odd_numbers=odd_numbers)
    if not isinstance(value, dict):
        raise ModelError(f"{path} must hold a JSON object; got another value")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        counts = Counter(key for key, _ in pairs)
        twice = counts.most_common(1)[0][0]
        raise ValueError(f"a key must be given once; got {twice[:40]!r} twice")
    return found


def _require_shallow(value: Any) -> None:
    """Who writes or draws it again needs a stack as deep."""
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(_DEEPEST):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return
    raise ValueError(f"it must be nested {_DEEPEST} deep at most")


def _texts(value: Any) -> Iterator[str]:
    """All texts of a value, keys included."""
    waiting = [value]
    while waiting:
        match waiting.pop():
            case str() as text:
                yield text
            case list() as items:
                waiting += items
            case dict() as items:
                yield from items
                waiting += items.values()


def _require_unicode(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("texts must be Unicode; got half a surrogate pair") from None
