"""A text before it is cut into pieces: characters rewritten, spaces in order."""

from __future__ import annotations

import re
from collections.abc import Iterable

from transduce.tokenization.pieces.piece_model import SPACE, Pieces
from transduce.tokenization.pieces.whole_texts import WholeTexts
from transduce.untrusted.charsmap import character_map

__all__ = ["Rewriter", "Rules"]

_ASCII = frozenset(map(chr, range(128)))
_SPACES = re.compile(" {2,}")


class Rules:
    """Texts that are rewritten: from left to right the longest that stands at a place.

    What is ``kept`` stays as it is, whatever rules there are for its characters.
    """

    def __init__(self, charsmap: bytes, kept: Iterable[str] = ()) -> None:
        """Raise ValueError where the map of characters is not whole."""
        self._map = character_map(charsmap)
        self._kept = WholeTexts(kept)
        self._begins = {*self._map.single, *self._map.several, *self._kept.begins}
        # Of ASCII hardly anything is rewritten but by what follows it, a mark for one. So what is
        # looked for is all else, and the character before it is looked at too.
        plain = _ASCII - self._map.single - self._kept.begins
        if self._map.plain_seconds:
            plain -= self._map.several
        self._other = re.compile(f"[^{''.join(map(re.escape, sorted(plain)))}]")

    def apply(self, text: str) -> str:
        """The text with all rules applied."""
        return "".join(self.units(text))

    def units(self, text: str) -> list[str]:
        """What the text becomes: what no rule is for, and a rule's output, by turns."""
        if not self._begins:
            return [text]
        out: list[str] = []
        done = place = 0
        while found := self._other.search(text, place):
            place = found.start() + 1
            for start in range(max(done, found.start() - 1), place):
                if text[start] in self._begins and (rewritten := self._at(text, start)):
                    out += (text[done:start], rewritten[0])
                    done = place = start + rewritten[1]
                    break
        out.append(text[done:])
        return out

    def _at(self, text: str, start: int) -> tuple[str, int] | None:
        """What the text becomes at a place, and how many characters of it."""
        if (piece := self._kept.longest(text, start)) is not None:
            return piece, len(piece)
        return self._map.longest(text, start)


class Rewriter:
    """A text as the pieces of a model spell it."""

    def __init__(self, pieces: Pieces) -> None:
        """Take what is needed of the model."""
        self._rules = Rules(pieces.charsmap, pieces.user_defined)
        self._one_space = pieces.one_space
        self._space = SPACE if pieces.escape else " "
        added = self._space if pieces.dummy_prefix else ""
        self._before, self._after = ("", added) if pieces.suffix else (added, "")

    def __call__(self, text: str) -> str:
        """The text in normal form; nothing of nothing."""
        if not text:
            return ""
        units = self._rules.units(text)
        if self._one_space:
            if not "".join(units[::2]).strip(" ") and all(unit == " " for unit in units[1::2]):
                return ""
            units = _with_one_space(units)
        whole = "".join(units)
        spelled = self._before + whole.replace(" ", self._space)
        if self._one_space:
            spelled = spelled.rstrip(self._space)
        return spelled + self._after


def _with_one_space(units: list[str]) -> list[str]:
    """Without spaces behind others and at the start. What a rule itself writes is left alone."""
    out: list[str] = []
    space = True
    for number, unit in enumerate(units):
        if number % 2 == 0:
            unit = _SPACES.sub(" ", unit)
        if space:
            unit = unit.lstrip(" ")
        if unit:
            space = unit[-1] == " "
            out.append(unit)
    return out
