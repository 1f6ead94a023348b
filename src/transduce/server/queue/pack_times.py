"""How long the engine takes for packs, learned from those that it has answered."""

from __future__ import annotations

__all__ = ["PackTimes"]

_KEPT = 0.9  # of what earlier packs count, at each new one
# A token in a large pack costs no less than this share of what it costs in usual ones: what lies
# outside of the sizes that were seen is not reckoned as free.
_LEAST = 0.125


class PackTimes:
    """A line through the seconds of late packs over their cost (least squares).

    Many tokens together cost less than one by one. A single rate would not do: after a few small
    packs a queue of the usual length would look too long, all others would be refused, and packs
    would stay small.
    """

    def __init__(self) -> None:
        self._weight = self._cost = self._seconds = 0.0  # sums that fade
        self._squares = self._products = 0.0

    def add(self, cost: int, seconds: float) -> None:
        """One pack was answered."""
        self._weight = _KEPT * self._weight + 1
        self._cost = _KEPT * self._cost + cost
        self._seconds = _KEPT * self._seconds + seconds
        self._squares = _KEPT * self._squares + cost * cost
        self._products = _KEPT * self._products + cost * seconds

    def expected(self, packs: int, cost: int) -> float:
        """Seconds for so many packs of so much ``cost`` together; 0 before the first was added."""
        if not self._cost:
            return 0.0
        rate = self._seconds / self._cost
        spread = self._weight * self._squares - self._cost**2
        slope = rate
        if spread > 0:
            slope = (self._weight * self._products - self._cost * self._seconds) / spread
        slope = min(rate, max(_LEAST * rate, slope))
        each = max(0.0, (self._seconds - slope * self._cost) / self._weight)
        return packs * each + slope * cost
