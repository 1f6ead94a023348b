"""One text before it is cut into symbols, and texts in portions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TypeVar

from transduce.errors import DataError

__all__ = ["PORTION", "normalize", "portions", "to_bytes"]

T = TypeVar("T")

PORTION = 8192  # texts or pairs worked on at once, so that memory stays flat


def portions(items: Iterable[T], size: int = PORTION) -> Iterator[list[T]]:
    """Lists of ``size`` items, the last one perhaps shorter."""
    stream = iter(items)
    while portion := list(islice(stream, size)):
        yield portion


def normalize(function: Callable[[str], str], text: str) -> str:
    """A text in the form that ``function`` gives. Raises DataError for invalid Unicode."""
    try:
        return function(text)
    except UnicodeEncodeError:
        to_bytes(text)
        raise


def to_bytes(text: str) -> bytes:
    """A text in UTF-8. Raises DataError where it is not valid Unicode."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise DataError(f"text must be valid Unicode; got a lone surrogate in {text!r}") from None
