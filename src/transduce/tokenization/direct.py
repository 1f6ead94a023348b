"""Encoding by a dictionary for the simple kinds: several times as fast as the library, the same.

Texts are in normal form here and without tags.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import chain

from transduce.interfaces import UNKNOWN
from transduce.tokenization.pipelines import SPECIALS, make_pre_tokenizer
from transduce.tokenization.tags import cut_at_tags
from transduce.tokenization.texts import to_bytes

__all__ = ["direct_encoder", "pieces_of"]

REMEMBERED = 1 << 17  # chunks of texts whose numbers are kept
LONGEST = 64  # characters of a chunk that is kept


def direct_encoder(kind: str, learnt: Sequence[str]) -> Callable[[str], list[int]] | None:
    """What turns a text into a new list of numbers; None for kinds that the library cuts.

    ``learnt`` are the symbols from the number 4 on, as they stand in texts.
    """
    first = len(SPECIALS)
    if kind == "byte":
        return _byte_numbers
    if kind not in ("character", "whitespace", "word"):
        return None
    numbers = _Numbers(zip(learnt, range(first, first + len(learnt)), strict=True))
    # Functions of the module and their arguments, so that a tokenizer can be pickled.
    if kind == "character":
        return partial(_character_numbers, numbers.__getitem__)
    if kind == "whitespace":
        return partial(_chunk_numbers, numbers.__getitem__)
    return partial(_word_numbers, _WordPieces(numbers).__getitem__)


def _byte_numbers(text: str) -> list[int]:
    return [len(SPECIALS) + value for value in to_bytes(text)]


def _character_numbers(number: Callable[[str], int], text: str) -> list[int]:
    return list(map(number, text))


def _chunk_numbers(number: Callable[[str], int], text: str) -> list[int]:
    return list(map(number, text.split()))


def _word_numbers(chunk_numbers: Callable[[str], list[int]], text: str) -> list[int]:
    try:
        return list(chain.from_iterable(map(chunk_numbers, text.split(" ")))) if text else []
    except UnicodeEncodeError:
        to_bytes(text)
        raise


def pieces_of(
    kind: str, text: str, encode: Callable[[str], list[int]], *, tagged: bool
) -> list[str]:
    """What each symbol of a normal text stands for, so far as one may be unknown; else "".

    ``tagged`` tokenizers have tags. Those of bytes know all but a tag; ``encode`` counts the rest.
    """
    cut: Callable[[str], list[str]] = list
    if kind == "whitespace":
        cut = str.split
    elif kind == "word":
        cut = _words
    elif kind != "character":
        cut = lambda piece: [""] * len(encode(piece))  # noqa: E731

    parts = cut_at_tags(text) if tagged else [(text, False)]
    return [piece for part, tag in parts for piece in ([part] if tag else cut(part))]


def _words(text: str) -> list[str]:
    """As :class:`_WordPieces` cuts."""
    cutter = make_pre_tokenizer("word")
    if cutter is None:
        raise ValueError("words must have a way to be cut")
    chunks = text.split(" ") if text else []
    return [piece for chunk in chunks for piece, _ in cutter.pre_tokenize_str(f" {chunk}")]


class _Numbers(dict[str, int]):
    """Symbols to numbers; what is not there is UNKNOWN."""

    def __missing__(self, symbol: str) -> int:
        return UNKNOWN


class _WordPieces(dict[str, list[int]]):
    """What stands between two spaces, to the numbers of its words and punctuation.

    A piece of the kind ``word`` holds no space but at its start, so the chunks of a
    text can be cut each for itself, and those that come again are cut once.
    """

    def __init__(self, numbers: _Numbers) -> None:
        super().__init__()
        self._numbers = numbers
        self._cutter = make_pre_tokenizer("word")

    def __missing__(self, chunk: str) -> list[int]:
        if self._cutter is None:
            raise ValueError("words must have a way to be cut")
        pieces = self._cutter.pre_tokenize_str(f" {chunk}")
        found = [self._numbers[piece] for piece, _ in pieces]
        if len(self) < REMEMBERED and len(chunk) <= LONGEST:
            self[chunk] = found
        return found
