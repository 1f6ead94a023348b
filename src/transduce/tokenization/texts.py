"""One text before it is cut into symbols, and texts in portions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, TypeVar

from transduce.errors import DataError
from transduce.untrusted.tokenizer_json import library

__all__ = ["PORTION", "encode_portions", "normalize", "portions", "to_bytes"]

T = TypeVar("T")

PORTION = 8192  # texts or pairs worked on at once, so that memory stays flat
_CHARACTERS = 1 << 22  # of a portion
_STEP = 16  # texts between two looks at how long they are together


def portions(items: Iterable[T], size: int = PORTION) -> Iterator[list[T]]:
    """Lists of ``size`` texts or pairs of texts, the last one perhaps shorter.

    Shorter too are those of very long texts.
    """
    stream = iter(items)
    held: list[T] = []
    characters = 0
    while step := list(islice(stream, min(_STEP, size - len(held)))):
        held += step
        characters += sum(map(_length, step))
        if len(held) == size or characters > _CHARACTERS:
            yield held
            held, characters = [], 0
    if held:
        yield held


def _length(item: Any) -> int:
    return len(item) if isinstance(item, str) else len(item[0]) + len(item[1] or "")


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
