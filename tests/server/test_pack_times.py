"""What the queue learns of the engine's speed, against a weighted line by NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from transduce.server.queue.pack_times import PackTimes


def learned(costs: list[int], seconds: list[float]) -> PackTimes:
    times = PackTimes()
    for cost, taken in zip(costs, seconds, strict=True):
        times.add(cost, taken)
    return times


def test_nothing_is_expected_before_the_first() -> None:
    assert PackTimes().expected(3, 1000) == 0.0


def test_it_is_a_line_through_late_packs() -> None:
    chance = np.random.default_rng(1)
    costs = [int(n) for n in chance.integers(10, 500, 40)]
    seconds = [0.004 + 5e-5 * c + float(chance.normal(0, 1e-4)) for c in costs]
    weights = np.sqrt(0.9 ** np.arange(39, -1, -1.0))  # polyfit squares them
    slope, each = np.polyfit(costs, seconds, 1, w=weights)
    found = learned(costs, seconds).expected(2, 700)
    assert found == pytest.approx(2 * each + 700 * slope, rel=1e-9)


def test_equal_packs_say_a_rate_alone() -> None:
    assert learned([20, 20], [0.1, 0.1]).expected(1, 60) == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("seconds", "share"), [([0.2, 0.1], 0.125), ([0.01, 0.29], 1.0)], ids=["falling", "steep"]
)
def test_its_slope_has_bounds(seconds: list[float], share: float) -> None:
    """Two packs may lie on any line: it is neither flat, nor below nothing where nothing is."""
    weights = np.array([0.9, 1.0]) / 1.9
    cost, mean = float(weights @ [10, 20]), float(weights @ seconds)
    slope = share * mean / cost
    found = learned([10, 20], seconds).expected(1, 1000)
    assert found == pytest.approx(mean - slope * cost + slope * 1000)


def test_small_packs_do_not_make_the_queue_look_long() -> None:
    """By one rate, 300 tokens would seem to take 80 ms after small packs; they take 19."""
    costs = [300, 280, 310, *[15] * 8]
    times = learned(costs, [0.004 + 5e-5 * c for c in costs])
    assert times.expected(1, 300) == pytest.approx(0.019)
