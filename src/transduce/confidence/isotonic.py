"""Isotonic regression: the rising curve that fits best."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["fit_isotonic"]

Floats = NDArray[np.float64]


def fit_isotonic(scores: Floats, targets: Floats) -> tuple[Floats, Floats]:
    """Places and heights ``[K]`` of a curve that never falls, straight between its places.

    Least squares over all rising steps by pooling adjacent violators (Ayer et al. 1955; for
    calibration Zadrozny & Elkan 2002); each pool is one place, the mean of its scores.
    """
    order = np.argsort(scores, kind="stable")
    pools: list[list[float]] = []  # sum of scores, sum of targets, count
    for score, target in zip(scores[order].tolist(), targets[order].tolist(), strict=True):
        pools.append([score, target, 1.0])
        while len(pools) > 1 and pools[-2][1] * pools[-1][2] >= pools[-1][1] * pools[-2][2]:
            last = pools.pop()
            pools[-1] = [a + b for a, b in zip(pools[-1], last, strict=True)]
    found = np.array(pools)
    places, heights = found[:, 0] / found[:, 2], found[:, 1] / found[:, 2]
    # Pools of equal scores share a place; the curve needs rising ones.
    kept = np.concatenate([[True], np.diff(places) > 0])
    return places[kept], heights[kept]
