"""Pieces to text."""

from __future__ import annotations

from collections.abc import Iterable

from transduce.tokenization.pieces.piece_model import BYTE, CONTROL, SPACE, UNKNOWN, Pieces
from transduce.tokenization.pieces.rewriting import Rules

__all__ = ["Speller"]

_UNKNOWN = " \u2047 "  # as SentencePiece writes it


class Speller:
    """Joins pieces to a text as SentencePiece does."""

    def __init__(self, pieces: Pieces) -> None:
        """Take what is needed of the model."""
        self._pieces = pieces
        self._kinds = tuple(pieces.types)
        self._drops_first = pieces.dummy_prefix or pieces.one_space
        self._bytes = {
            number: int(pieces.names[number][3:5], 16)
            for number, kind in enumerate(pieces.types)
            if kind == BYTE
        }
        self._rules = Rules(pieces.spelling_charsmap)

    def decode(self, pieces: Iterable[str]) -> str:
        """The text of pieces as they are written, without spaces around it.

        What is no piece of the model stands as it is.
        """
        named = ((self._pieces.number(piece), piece) for piece in pieces)
        return self.spell(named).replace(SPACE, " ").strip()

    def spell(self, pieces: Iterable[tuple[int | None, str]]) -> str:
        """The text of pieces by number and name; what has no number stands as it is."""
        text = ""
        out: list[str] = []
        bytes_ = bytearray()
        first, space_seen = True, False  # whether a space may be left out; whether one was
        started = False
        for number, name in pieces:
            if number in self._bytes:
                bytes_.append(self._bytes[number])
                continue
            if bytes_:
                out.append(_characters(bytes(bytes_)))
                bytes_.clear()
                started = True
            first = first and not space_seen and not started
            surface, space_seen = self._surface(number, name, first)
            started = started or surface != ""
            out.append(surface)
        out.append(_characters(bytes(bytes_)))
        text = "".join(out)
        return self._rules.apply(text)

    def _surface(self, number: int | None, name: str, first: bool) -> tuple[str, bool]:
        """What a piece is in a text, and whether it lost its space for all."""
        if number is None:
            return name, False
        kind = self._kinds[number]
        if kind == CONTROL:
            return "", False
        if kind == UNKNOWN:
            return (_UNKNOWN if name == self._pieces.names[number] else name), False
        lost = False
        if first and self._drops_first and name.startswith(SPACE):
            name = name[1:]
            lost = not self._pieces.one_space  # else all spaces at the start are left out
        return name.replace(SPACE, " "), lost


def _characters(bytes_: bytes) -> str:
    """What is no UTF-8 is U+FFFD, one for each byte."""
    text, place = "", 0
    while place < len(bytes_):
        try:
            return text + bytes_[place:].decode()
        except UnicodeDecodeError as error:
            start = place + error.start
            text += bytes_[place:start].decode() + "\ufffd"
            place = start + 1
    return text
