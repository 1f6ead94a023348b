"""A SentencePiece model (Kudo & Richardson 2018): its pieces, and how text becomes them."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from transduce.untrusted.charsmap import require_whole

__all__ = ["SPACE", "Pieces"]

SPACE = "\u2581"  # what a space is written as in a piece
NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = 1, 2, 3, 4, 5, 6
_MOST = 1 << 20  # pieces
_LONGEST = 512  # characters of a piece
_MOST_CHARACTERS = 1 << 23
_MAPS = ("charsmap", "spelling_charsmap")


@dataclass(frozen=True)
class Pieces:
    """The pieces in order, with scores and types, and how text becomes them."""

    names: Sequence[str]
    scores: Sequence[float]
    types: Sequence[int]
    bpe: bool = False  # else a unigram model
    byte_fallback: bool = False
    charsmap: bytes = b""  # what characters are rewritten; empty: none
    dummy_prefix: bool = True  # a space before the text
    one_space: bool = True  # runs of spaces are one, those at the ends go
    escape: bool = True  # spaces are written as SPACE
    suffix: bool = False  # the space that is added stands after the text
    spelling_charsmap: bytes = b""  # likewise in what is written

    @property
    def unknown(self) -> int:
        """The number of the piece for what is not known."""
        return self.types.index(UNKNOWN)

    @cached_property
    def matched(self) -> dict[str, int]:
        """Numbers of the pieces that a text may become."""
        kinds = (NORMAL, USER_DEFINED, UNUSED)
        both = zip(self.names, self.types, strict=True)
        return {name: number for number, (name, kind) in enumerate(both) if kind in kinds}

    @cached_property
    def reserved(self) -> dict[str, int]:
        """Numbers of the others."""
        numbers = ((name, number) for number, name in enumerate(self.names))
        return {name: number for name, number in numbers if self.matched.get(name) != number}

    @cached_property
    def user_defined(self) -> frozenset[str]:
        """What is always a piece of its own."""
        both = zip(self.names, self.types, strict=True)
        return frozenset(name for name, kind in both if kind == USER_DEFINED)

    def number(self, name: str) -> int:
        """Of a piece by its name; that of what is not known for another."""
        found = self.reserved.get(name)
        return self.matched.get(name, self.unknown) if found is None else found

    def require_sound(self) -> None:
        """Raise ValueError where pieces are none, or more than can be held."""
        names, types = self.names, self.types
        if not 0 < len(names) <= _MOST:
            raise ValueError(f"it must have 1 to {_MOST:,} pieces")
        if not len(names) == len(self.scores) == len(types):
            raise ValueError("it must have a score and a type for each piece")
        if not all(type(name) is str and name for name in names):
            raise ValueError("pieces must have names")
        if not all(type(kind) is int for kind in types) or types.count(UNKNOWN) != 1:
            raise ValueError("it must have a piece for what is not known")
        if not all(type(score) in (int, float) and math.isfinite(score) for score in self.scores):
            raise ValueError("scores must be finite")
        if max(map(len, names)) > _LONGEST or sum(map(len, names)) > _MOST_CHARACTERS:
            raise ValueError(f"pieces must have {_LONGEST} characters at most")
        if len(set(names)) < len(names):
            raise ValueError("pieces must be different")
        of_bytes = {name for name, kind in zip(names, types, strict=True) if kind == BYTE}
        if not of_bytes <= {f"<0x{byte:02X}>" for byte in range(256)}:
            raise ValueError("pieces of bytes must be named <0x00> to <0xFF>")
        for charsmap in (self.charsmap, self.spelling_charsmap):
            if type(charsmap) is not bytes:
                raise ValueError("maps of characters must be bytes")
            require_whole(charsmap)

    def to_state(self) -> dict[str, Any]:
        """As JSON holds it."""
        maps = {name: base64.b64encode(getattr(self, name)).decode() for name in _MAPS}
        return asdict(self) | maps

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Pieces:
        """The inverse of ``to_state``. Raises TypeError and ValueError for anything else."""
        lists = {name: tuple(state[name]) for name in ("names", "scores", "types")}
        maps = {name: base64.b64decode(state[name], validate=True) for name in _MAPS}
        pieces = cls(**{**state, **lists, **maps})
        flags = ("bpe", "byte_fallback", "dummy_prefix", "one_space", "escape", "suffix")
        if not all(type(getattr(pieces, name)) is bool for name in flags):
            raise ValueError("its options must be true or false")
        pieces.require_sound()
        return pieces
