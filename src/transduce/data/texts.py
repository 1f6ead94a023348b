"""One text before it is cut into symbols, and texts in portions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TypeVar

from transduce.errors import DataError
from transduce.untrusted.pipelines import library

__all__ = ["PORTION", "encode_portions", "normalize", "portions", "to_bytes"]

T = TypeVar("T")

PORTION = 8192  # texts or pairs worked on at once, so that memory stays flat


def portions(items: Iterable[T], size: int = PORTION) -> Iterator[list[T]]:
    """Lists of ``size`` items, the last one perhaps shorter."""
    stream = iter(items)
    while portion := list(islice(stream, size)):
        yield portion


def encode_portions(
    encode: Callable[[list[str]], Iterable[T]], texts: Iterable[str]
) -> Iterator[T]:
    """What the library's ``encode`` makes of each text, asked for many at once.

    Raises DataError for invalid Unicode, which it takes for texts of a wrong type, ModelError for
    what else it stumbles over.
    """
    for portion in portions(texts):
        with library("tokenizer must be able to cut every text"):
            try:
                encodings = encode(portion)
            except TypeError:
                for text in portion:
                    to_bytes(text)
                raise
        yield from encodings


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
