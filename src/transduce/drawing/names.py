"""Where names stand beside their points: on nothing else, with leader lines that cross nothing.

Pure geometry, in pixels from the lower left corner. Each name tries places around its point, near
ones first; in turn each takes the one that disturbs least, until nobody moves. Boxes are
``[..., 4]``: left, bottom, right, top; lines likewise: from (across, up) to (across, up).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Box", "Mark", "PlacedName", "crosses", "meets", "overlaps", "place_names"]

_DISTANCES = (10.0, 22.0, 40.0, 62.0, 90.0, 125.0, 170.0, 220.0)
_ANGLES = 24
_LEADER = 16.0  # a name that is farther from its point has a line to it
_MARGIN = 4.0  # around names
_ROUNDS = 8
# What a place costs; a name on a name is worse than a line across an interval.
_OUTSIDE, _ON_NAME, _CROSSED, _ON_MARK, _NEAR_LINE, _FAR = 50.0, 20.0, 12.0, 10.0, 6.0, 0.02

Floats = NDArray[np.float64]
Truths = NDArray[np.bool_]
_GROWN = np.array([-_MARGIN, -_MARGIN, _MARGIN, _MARGIN])


class Box(NamedTuple):
    """A rectangle."""

    left: float
    bottom: float
    right: float
    top: float


@dataclass(frozen=True, slots=True)
class Mark:
    """A point, with the interval that stands on it, and how large its name is."""

    across: float
    up: float
    low: float
    high: float
    width: float
    height: float

    @property
    def spot(self) -> tuple[float, float]:
        """Where it is."""
        return self.across, self.up

    def box(self) -> Box:
        """What it covers, interval and all."""
        low, high = min(self.low, self.up - 6), max(self.high, self.up + 6)
        return Box(self.across - 6, low, self.across + 6, high)


@dataclass(frozen=True, slots=True)
class PlacedName:
    """Where a name stands, and where a line from its point meets it, if it stands apart."""

    box: Box
    leader: tuple[float, float] | None


class _Places:
    """All places that a name may have, and what each costs whatever the other names do."""

    def __init__(self, number: int, marks: Sequence[Mark], inside: Box) -> None:
        mark = marks[number]
        angles = np.tile(2 * math.pi * np.arange(_ANGLES) / _ANGLES, len(_DISTANCES))
        distances = np.repeat(_DISTANCES, _ANGLES)
        across, up = np.cos(angles), np.sin(angles)
        # The name's nearest edge or corner lies in that direction.
        left = mark.across + distances * across - mark.width * (1 - _side(across)) / 2
        bottom = mark.up + distances * up - mark.height * (1 - _side(up)) / 2
        self.boxes = np.stack([left, bottom, left + mark.width, bottom + mark.height], axis=-1)
        ends = np.clip(mark.spot, self.boxes[:, :2], self.boxes[:, 2:])
        self.lines = np.concatenate([np.broadcast_to(mark.spot, ends.shape), ends], axis=-1)
        gaps = np.linalg.norm(ends - mark.spot, axis=-1)
        self.apart = gaps > _LEADER
        self.wide = self.boxes + _GROWN
        covered = np.array([other.box() for other in marks])
        others = np.delete(covered, number, axis=0)
        beyond = (self.boxes[:, :2] < inside[:2]) | (self.boxes[:, 2:] > inside[2:])
        near = meets(others, self.lines[:, None]).sum(axis=-1) + _along(mark, self.lines)
        self.cost = (
            _FAR * gaps
            + _OUTSIDE * beyond.any(axis=-1)
            + _ON_MARK * overlaps(self.wide[:, None], covered).sum(axis=-1)
            + _NEAR_LINE * np.where(self.apart, near, 0)
        )

    def disturbed_by(self, other: _Places, place: int) -> Floats:
        """What each place costs more because another name stands where it does."""
        cost = _ON_NAME * overlaps(self.wide, other.boxes[place]).astype(np.float64)
        line = other.lines[place]
        if other.apart[place]:
            cost += _CROSSED * meets(self.wide, line)
            cost += _CROSSED * (self.apart & crosses(self.lines, line))
        cost += _CROSSED * (self.apart & meets(other.wide[place], self.lines))
        return cost

    def placed(self, place: int) -> PlacedName:
        """One of the places."""
        box, line = self.boxes[place].tolist(), self.lines[place].tolist()
        return PlacedName(Box(*box), (line[2], line[3]) if self.apart[place] else None)


def place_names(marks: Sequence[Mark], inside: Box) -> list[PlacedName]:
    """A place for each mark's name, all of them ``inside`` where there is room.

    The same marks give the same places.
    """
    numbers = range(len(marks))
    names = [_Places(number, marks, inside) for number in numbers]
    best: tuple[float, list[int]] = math.inf, []
    for across, up in ((0, -1), (1, 0), (-1, 0), (0, 1)):
        order = sorted(numbers, key=lambda n: across * marks[n].across + up * marks[n].up)
        cost, found = _settled(names, order)
        if cost < best[0]:
            best = cost, found
        if cost < _NEAR_LINE:  # nothing is in anything's way
            break
    return [name.placed(place) for name, place in zip(names, best[1], strict=True)]


def _settled(names: Sequence[_Places], order: Sequence[int]) -> tuple[float, list[int]]:
    """What all places together cost, and which each name has taken."""
    chosen: dict[int, int] = {}
    total = 0.0
    for _ in range(_ROUNDS):
        before, total = dict(chosen), 0.0
        for number in order:
            own = names[number]
            others = [own.disturbed_by(names[n], p) for n, p in chosen.items() if n != number]
            costs = sum(others, own.cost)
            chosen[number] = int(costs.argmin())
            total += float(costs.min())
        if chosen == before:
            break
    return total, [chosen[number] for number in range(len(names))]


def _side(part: Floats) -> Floats:
    """-1, 0 or 1: before, at the middle, behind."""
    return np.where(abs(part) < 0.3, 0.0, np.sign(part))


def _along(mark: Mark, lines: Floats) -> Truths:
    """Whether a name's line lies on its own point's interval, where it cannot be seen."""
    across, up = lines[:, 2] - lines[:, 0], lines[:, 3] - lines[:, 1]
    reach = np.where(up > 0, mark.high - mark.up, mark.up - mark.low)
    return (abs(across) < 0.4 * abs(up)) & (reach > 8)


def overlaps(boxes: Any, others: Any) -> Truths:
    """Whether any of a box is another's too, boxes ``[..., 4]`` against boxes."""
    one, other = np.asarray(boxes), np.asarray(others)
    found: Truths = np.all(
        (one[..., :2] < other[..., 2:]) & (other[..., :2] < one[..., 2:]), axis=-1
    )
    return found


def meets(boxes: Any, lines: Any) -> Truths:
    """Whether a line goes through a box, ``[..., 4]`` both."""
    box, line = np.asarray(boxes, np.float64), np.asarray(lines, np.float64)
    start, step = line[..., :2], line[..., 2:] - line[..., :2]
    step = np.where(abs(step) < 1e-9, 1e-9, step)
    ends = np.stack([(box[..., :2] - start) / step, (box[..., 2:] - start) / step])
    first = np.maximum(ends.min(axis=0).max(axis=-1), 0.0)
    last = np.minimum(ends.max(axis=0).min(axis=-1), 1.0)
    found: Truths = first <= last
    return found


def crosses(lines: Any, others: Any) -> Truths:
    """Whether two lines have a point in common, ``[..., 4]`` both."""
    one, other = np.asarray(lines, np.float64), np.asarray(others, np.float64)
    a, b, c, d = one[..., :2], one[..., 2:], other[..., :2], other[..., 2:]
    found: Truths = (_turn(a, b, c) * _turn(a, b, d) <= 0) & (_turn(c, d, a) * _turn(c, d, b) <= 0)
    # Lines on one line have no turn at all: they meet where their boxes do.
    return found & (np.minimum(a, b) <= np.maximum(c, d)).all(axis=-1) & (
        np.minimum(c, d) <= np.maximum(a, b)
    ).all(axis=-1)  # fmt: skip


def _turn(a: Floats, b: Floats, c: Floats) -> Floats:
    first, second = b - a, c - a
    found: Floats = first[..., 0] * second[..., 1] - first[..., 1] * second[..., 0]
    return found
