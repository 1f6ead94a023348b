"""Cutting a normal text word by word, and remembering the words that come again."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from transduce.tokenization.pieces.piece_model import SPACE, Pieces

__all__ = ["Cut", "parted_at_spaces"]

REMEMBERED = 1 << 16  # words whose pieces are kept
LONGEST = 64  # characters of a word that is kept


class Cut(NamedTuple):
    """The pieces of a word, by number and as they stand in it."""

    numbers: list[int]
    surfaces: list[str]


def parted_at_spaces(pieces: Pieces) -> Callable[[str], list[str]]:
    """What parts a text where no piece reaches across: before spaces, or after them, or nowhere."""
    names = pieces.matched
    if not any(SPACE in name[1:] for name in names):
        return _before_spaces
    if not any(SPACE in name[:-1] for name in names):
        return _after_spaces
    return lambda text: [text]


def _before_spaces(text: str) -> list[str]:
    first, *others = text.split(SPACE)
    words = [SPACE + word for word in others]
    return [first, *words] if first else words


def _after_spaces(text: str) -> list[str]:
    *others, last = text.split(SPACE)
    words = [word + SPACE for word in others]
    return [*words, last] if last else words
