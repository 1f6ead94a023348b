"""Regular expressions that a tokenizer.json brings, held to those that take a bearable time.

The library's engine (Oniguruma) tries all ways to match. With repetitions inside repetitions there
are more of them than anybody waits for, with several in a row n² or n³ from each place. Here a
pattern may have one repetition before something that can fail, which is what published tokenizers
have, so that a text of n characters takes n² steps at most.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

__all__ = ["needs_something", "require_bearable"]

_LONGEST = 4096
_DEEPEST = 20
_FEW = 32  # a repetition of at most so many counts as none
_MOST = 1000
_LARGEST = 20_000
_COUNTS = re.compile(r"\{(\d*)(,?)(\d*)\}")
_GROUP = re.compile(r"\?(?:<?[=!]|[:>]|<\w+>|[imxsuaWDSPy-]*[:)])")
_NUMBERED = re.compile(r"\\[1-9kgKRX]")


@dataclass(frozen=True, slots=True)
class _Piece:
    """What a piece of a pattern costs: repetitions before what can fail, those at its end, whether
    it can fail, whether it can match in several ways, its places, and whether it needs a character
    where it begins, which there is none of at the end of a text.
    """

    closed: int = 0
    open: int = 0
    fails: bool = False
    varied: bool = False
    size: int = 0
    needs: bool = False

    def then(self, other: _Piece) -> _Piece:
        closed, open_ = self.closed + other.closed, other.open
        if other.fails:
            closed += self.open
        else:
            open_ += self.open
        return _Piece(
            closed,
            open_,
            self.fails or other.fails,
            self.varied or other.varied,
            self.size + other.size,
            self.needs or other.needs,
        )


_PLACE = _Piece(fails=True, size=1)
_ATOM = replace(_PLACE, needs=True)
_PLACES = re.compile(r"\\[bBAzZGKyY]|[$^]")  # what matches between two characters


def require_bearable(pattern: str) -> None:
    """Raise ValueError, its text the reason, where a pattern may take too long."""
    if len(pattern) > _LONGEST:
        raise ValueError(f"a pattern must have {_LONGEST} characters at most; got {len(pattern)}")
    if _scanned(pattern).closed > 1:
        raise ValueError(
            f"a pattern must have one repetition before what can fail; got {pattern[:60]!r}"
        )


def needs_something(pattern: str) -> bool:
    """Whether a pattern that is bearable finds nothing at the end of a text."""
    return _scanned(pattern).needs


def _scanned(pattern: str) -> _Piece:
    scanner = _Scanner(pattern)
    piece = scanner.choices(0)
    if scanner.place < len(pattern):
        raise ValueError(f"a pattern must be whole; got {pattern[:60]!r}")
    return piece


class _Scanner:
    """A place in a pattern, moved on by what is read."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.place = 0

    def choices(self, depth: int) -> _Piece:
        """Alternatives up to a closing parenthesis or the end."""
        if depth > _DEEPEST:
            raise ValueError(f"a pattern must be nested {_DEEPEST} deep at most")
        pieces = [self._sequence(depth)]
        while self._at("|"):
            self.place += 1
            pieces.append(self._sequence(depth))
        if len(pieces) == 1:
            return pieces[0]
        closed, open_ = (max(getattr(p, name) for p in pieces) for name in ("closed", "open"))
        size = sum(piece.size for piece in pieces)
        fails, needs = (all(getattr(p, name) for p in pieces) for name in ("fails", "needs"))
        return _Piece(closed, open_, fails, True, size, needs)

    def _sequence(self, depth: int) -> _Piece:
        whole = _Piece()
        while self.place < len(self.pattern) and self.pattern[self.place] not in "|)":
            whole = whole.then(self._repeated(*self._atom(depth)))
        return whole

    def _atom(self, depth: int) -> tuple[_Piece, bool]:
        """One character, class or group, and whether it is a group."""
        first = self.pattern[self.place]
        atom = _PLACE if _PLACES.match(self.pattern, self.place) else _ATOM
        if first == "\\":
            if _NUMBERED.match(self.pattern, self.place):
                raise ValueError("a pattern must not refer to its own groups")
            self._skip_escape()
        elif first == "[":
            self._skip_class()
        elif first == "(":
            return self._group(depth), True
        else:
            self.place += 1
        return atom, False

    def _group(self, depth: int) -> _Piece:
        self.place += 1
        kind = ""
        if self._at("?") or self._at("*"):
            found = _GROUP.match(self.pattern, self.place)
            if found is None:
                raise ValueError(f"a pattern must have plain groups; got {self._shown()}")
            self.place, kind = found.end(), found.group()
            if kind.endswith(")"):  # options for what follows
                return _Piece()
        piece = self.choices(depth + 1)
        if not self._at(")"):
            raise ValueError(f"a pattern must close its groups; got {self._shown()}")
        self.place += 1
        if kind.endswith(("=", "!")):  # what is looked at may be there or not
            return replace(piece, fails=True, needs=piece.needs and kind == "?=")
        return piece

    def _repeated(self, piece: _Piece, group: bool) -> _Piece:
        """A piece with the repetition behind it, if there is one."""
        while True:
            counts = self._counts()
            if counts is None:
                return piece
            least, most = counts
            if group and piece.varied and most > 1:
                raise ValueError("a pattern must not repeat a group of repetitions or choices")
            longer = most > _FEW
            varied = piece.varied or least != most
            size = piece.size * max(least, most if most <= _MOST else 1)
            if size > _LARGEST:
                raise ValueError(f"a pattern must have {_LARGEST} places at most, with repetitions")
            fails, needs = piece.fails and least > 0, piece.needs and least > 0
            piece = _Piece(piece.closed, piece.open + longer, fails, varied, size, needs)
            group = True

    def _counts(self) -> tuple[int, int] | None:
        endless = _MOST + 1
        for sign, counts in (("*", (0, endless)), ("+", (1, endless)), ("?", (0, 1))):
            if self._at(sign):
                self.place += 1
                self._skip_manner()
                return counts
        found = _COUNTS.match(self.pattern, self.place)
        if found is None or not (found[1] or found[3]):
            return None
        self.place = found.end()
        least = int(found[1] or 0)
        most = least if not found[2] else int(found[3]) if found[3] else endless
        if max(least, int(found[3] or 0)) > _MOST:
            raise ValueError(f"a pattern must repeat {_MOST} times at most; got {found[0]}")
        self._skip_manner()
        return least, most

    def _skip_manner(self) -> None:
        """Lazy or possessive: the same ways in another order, or fewer."""
        if self._at("?") or self._at("+"):
            self.place += 1

    def _skip_escape(self) -> None:
        self.place += 2
        if (
            self.place <= len(self.pattern)
            and self.pattern[self.place - 1] in "pPxu"
            and self._at("{")
        ):
            end = self.pattern.find("}", self.place)
            if end < 0:
                raise ValueError("a pattern must close its names")
            self.place = end + 1

    def _skip_class(self) -> None:
        depth = 0
        while True:
            if self.place >= len(self.pattern):
                raise ValueError("a pattern must close its classes")
            sign = self.pattern[self.place]
            if sign == "\\":
                self._skip_escape()
                continue
            self.place += 1
            if sign == "[":
                depth += 1
                self.place += self._at("^")
                self.place += self._at("]")  # right behind the opening it is one of the class
            elif sign == "]":
                depth -= 1
                if not depth:
                    return

    def _at(self, sign: str) -> bool:
        return self.pattern.startswith(sign, self.place)

    def _shown(self) -> str:
        return repr(self.pattern[max(0, self.place - 10) : self.place + 30])
