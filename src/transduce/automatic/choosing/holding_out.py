"""How much of the data is held out for dev and test, so that each has enough and no more."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from transduce.automatic.choosing.recipe_lines import RecipeLine
from transduce.reading.split import place

__all__ = ["HeldOut", "hold_out"]

_FEWEST = 10  # different sources, of which some can be held out
_SHARE, _LARGE_SHARE = 0.1, 0.05
_SMALL, _MOST = 100, 1000  # sources of dev, and of test, where data is little, and where it is much
_COUNTED = 20_000  # sources up to which the share is fitted to the ones that there are
_HALF = 0.5  # what data.dev_fraction may be at most


@dataclass(frozen=True)
class HeldOut:
    """Shares of the sources, and how many sources they are; none where there are too few."""

    dev: float
    test: float
    dev_sources: int
    test_sources: int

    def choices(self) -> list[RecipeLine]:
        """The lines of the section ``data``."""
        why = "a source is in one of train, dev and test, with all its targets"
        return [
            RecipeLine("data.dev_fraction", self.dev, f"{self.dev_sources:,} sources; {why}"),
            RecipeLine(
                "data.test_fraction", self.test, f"{self.test_sources:,} sources, in the same way"
            ),
        ]


def hold_out(
    keys: Iterable[str], total: int, *, dev: bool = True, test: bool = True
) -> HeldOut | None:
    """Shares for what is asked for; None where the sources are too few to hold any out.

    ``keys`` are those of the sources that were looked at (``split_key``), of ``total`` different
    ones. What falls into a split follows from their hash, so of few sources the share is such that
    the wanted number does.
    """
    keys = set(keys)
    if len(keys) < _FEWEST:
        return None
    count = max(len(keys), total) if len(keys) > _COUNTED else len(keys)
    wanted = max(1, round(min(_SHARE * count, max(_SMALL, _LARGE_SHARE * count), _MOST)))
    if len(keys) > _COUNTED:
        share = float(f"{wanted / count:.3g}")
        return HeldOut(share if dev else 0.0, share if test else 0.0, wanted * dev, wanted * test)
    places = sorted(map(place, keys), reverse=True)
    dev_share, in_dev = _share(places, 1.0, wanted) if dev else (0.0, 0)
    test_share, in_test = _share(places[in_dev:], 1 - dev_share, wanted) if test else (0.0, 0)
    if dev and not in_dev:
        return None
    return HeldOut(dev_share, test_share, in_dev, in_test)


def _share(places: list[float], top: float, wanted: int) -> tuple[float, int]:
    """A share below ``top`` that holds so many of the places, which descend; and how many it has.

    It ends between two places, in as few digits as tell them apart.
    """
    wanted = min(wanted, len(places) - 1)
    while wanted and top - places[wanted - 1] > _HALF:
        wanted -= 1
    if not wanted:
        return 0.0, 0
    least, most = top - places[wanted - 1], min(_HALF, top - places[wanted])
    for digits in range(2, 16):
        share = round((least + most) / 2, digits)
        if least <= share < most and share > 0:
            found = sum(place >= top - share for place in places)
            if found == wanted:
                return share, found
    return 0.0, 0
