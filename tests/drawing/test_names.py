"""Names stand beside their points: on no other, inside, with lines that cross nothing."""

from __future__ import annotations

import itertools
import math
import random

import numpy as np
import pytest

from transduce.drawing.names import Box, Mark, PlacedName, crosses, meets, overlaps, place_names

INSIDE = Box(0, 0, 950, 560)


def crowd(seed: int, count: int, spread: float) -> list[Mark]:
    """Points around the middle, the closer the smaller ``spread``."""
    chance = random.Random(seed)
    marks = []
    for _ in range(count):
        across, up = 475 + chance.uniform(-1, 1) * spread, 280 + chance.uniform(-1, 1) * spread / 2
        reach = chance.uniform(0, 30)
        marks.append(Mark(across, up, up - reach, up + reach, chance.uniform(60, 220), 16))
    return marks


def in_the_way(marks: list[Mark], placed: list[PlacedName]) -> list[str]:
    found = []
    lines = [n.leader and (*m.spot, *n.leader) for m, n in zip(marks, placed, strict=True)]
    for one, other in itertools.combinations(range(len(placed)), 2):
        if overlaps(placed[one].box, placed[other].box):
            found.append("a name on a name")
        if lines[one] and lines[other] and crosses(lines[one], lines[other]):
            found.append("a line across a line")
        for line, name in ((lines[one], placed[other]), (lines[other], placed[one])):
            if line and meets(name.box, line):
                found.append("a line across a name")
    for mark, name in itertools.product(marks, placed):
        if overlaps(name.box, (mark.across - 5, mark.up - 5, mark.across + 5, mark.up + 5)):
            found.append("a name on a point")
    return found + ["outside" for name in placed if not held(name.box)]


def held(box: Box) -> bool:
    return (
        box.left >= INSIDE.left
        and box.bottom >= INSIDE.bottom
        and box.right <= INSIDE.right
        and box.top <= INSIDE.top
    )


@pytest.mark.parametrize(("count", "spread"), [(2, 3), (4, 40), (7, 400), (7, 60), (10, 300)])
@pytest.mark.parametrize("seed", range(3))
def test_nothing_is_in_the_way(seed: int, count: int, spread: float) -> None:
    marks = crowd(seed, count, spread)
    placed = place_names(marks, INSIDE)
    assert in_the_way(marks, placed) == []
    assert placed == place_names(marks, INSIDE)
    for mark, name in zip(marks, placed, strict=True):
        nearest = np.clip(mark.spot, name.box[:2], name.box[2:])
        assert (name.leader is not None) == (math.dist(nearest, mark.spot) > 16)
        assert name.leader is None or name.leader == pytest.approx(tuple(nearest))


def test_a_name_alone_stands_close_by() -> None:
    [name] = place_names([Mark(400, 300, 280, 320, 100, 16)], INSIDE)
    assert name.leader is None


def test_a_point_at_the_edge_has_its_name_inside() -> None:
    for across, up in ((0, 0), (950, 560), (0, 560), (950, 280)):
        [name] = place_names([Mark(across, up, up, up, 200, 16)], INSIDE)
        assert held(name.box)


def test_lines_that_meet() -> None:
    assert crosses((0, 0, 4, 4), (0, 4, 4, 0))
    assert crosses((0, 0, 4, 0), (4, 0, 8, 5))
    assert not crosses((0, 0, 4, 4), (5, 5, 9, 9))
    assert not crosses((0, 0, 4, 0), (0, 1, 4, 1))
    box = Box(2, 2, 4, 4)
    assert meets(box, (0, 0, 6, 6))
    assert meets(box, (3, 0, 3, 9))
    assert not meets(box, (0, 0, 1, 9))
    assert not meets(box, (5, 0, 5, 9))
