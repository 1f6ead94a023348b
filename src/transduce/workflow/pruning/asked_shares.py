"""What is to be pruned, and how much of it: ``feedforward=0.6 decoder.layers=2``."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, cast, get_args

from transduce.errors import ConfigError, did_you_mean

__all__ = ["PRUNED", "AskedShare", "PrunedPart", "Side", "is_asked", "read_asked"]

PrunedPart = Literal["layers", "heads", "feedforward", "hidden"]
Side = Literal["encoder", "decoder"]

PRUNED: tuple[PrunedPart, ...] = get_args(PrunedPart)  # in the order in which they are removed
_SIDES: tuple[Side, ...] = get_args(Side)


@dataclass(frozen=True, slots=True)
class AskedShare:
    """A share of a part to be removed, above 0 and below 1; of layers also how many.

    ``sides`` are the stacks that it is removed from: of layers from each, of the rest wherever
    least is lost.
    """

    part: PrunedPart
    sides: tuple[Side, ...]
    share: float | None
    count: int | None = None

    @property
    def option(self) -> str:
        """As it was written."""
        side = f"{self.sides[0]}." if len(self.sides) == 1 else ""
        return f"{side}{self.part}={self.share if self.count is None else self.count:g}"

    def of(self, total: int) -> int:
        """How many of so many go: at least the share."""
        if self.count is not None:
            return self.count
        return math.ceil(round(total * (self.share or 0), 6))


def is_asked(text: str) -> bool:
    """Whether a word is one of these, ``feedforward=0.6``, as it stands behind ``--prune``."""
    return _name(text.partition("=")[0])[1] in PRUNED


def read_asked(texts: Sequence[str]) -> tuple[AskedShare, ...]:
    """One or several a text, with commas or spaces between. Raises ConfigError."""
    words = [word for text in texts for word in text.replace(",", " ").split()]
    if texts and not words:
        raise ConfigError("--prune must be PART=SHARE; got nothing")
    asked = tuple(map(_one, words))
    seen: set[tuple[Side, str]] = set()
    for each in asked:
        for side in each.sides:
            if (side, each.part) in seen:
                raise ConfigError(f"--prune must name each part once; got {side}.{each.part} twice")
            seen.add((side, each.part))
    return asked


def _name(text: str) -> tuple[str, str]:
    side, _, part = text.rpartition(".")
    return side, part


def _one(word: str) -> AskedShare:
    name, equals, value = word.partition("=")
    side, part = _name(name)
    known = [*PRUNED, *(f"{one}.{each}" for one in _SIDES for each in PRUNED)]
    if part not in PRUNED or side not in ("", *_SIDES):
        raise ConfigError(
            f"--prune must be of {', '.join(PRUNED)}, encoder. or decoder. before it or not; "
            f"got {name!r}{did_you_mean(name, known)}"
        )
    sides = _SIDES if not side else (cast(Side, side),)
    if equals and part == "layers" and value.isdecimal() and 0 < int(value) <= 1024:
        return AskedShare("layers", sides, None, int(value))
    try:
        share = float(value)
    except ValueError:
        share = math.nan
    if not 0 < share < 1:
        more = ", or how many" if part == "layers" else ""
        raise ConfigError(
            f"--prune {name} must be a share above 0 and below 1{more}; got {value or 'none'}"
        )
    return AskedShare(part, sides, share)
