"""Numbers of a note, within bounds."""

from __future__ import annotations

from typing import Any

from transduce.errors import ModelError

__all__ = ["count_of", "counts_of", "size_of"]

_MOST = 1 << 20


def count_of(value: Any) -> int:
    """A whole number from 0 on. Raises ModelError."""
    if type(value) is not int or not 0 <= value <= _MOST:
        raise ModelError(f"number must be whole, from 0 to {_MOST}; got {value!r}")
    return value


def size_of(value: Any) -> int:
    """Likewise from 1 on."""
    if count_of(value) == 0:
        raise ModelError("size must be at least 1; got 0")
    return int(value)


def counts_of(values: Any) -> tuple[int, ...]:
    """A list of whole numbers."""
    if not isinstance(values, list):
        raise ModelError(f"numbers must be a list; got {values!r}")
    return tuple(map(count_of, values))
