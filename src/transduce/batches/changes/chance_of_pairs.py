"""Random numbers that hang on where they belong alone, not on who asks for them or when."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import numpy as np
from numpy.typing import NDArray

__all__ = ["chance_of_pair", "random_bits"]

# Odd constants of SplitMix64 (Steele et al. 2014) and of xxHash.
_GAMMA, _FIRST, _SECOND = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
_FACTORS = (0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9)
_MASK = (1 << 64) - 1


def random_bits(seed: int, order: int, indices: Sequence[int], width: int) -> NDArray[np.uint64]:
    """Uniform numbers ``[B, S]`` of 64 bits, each a hash of seed, order, pair and column."""
    rows = np.array(indices, dtype=np.uint64).reshape(-1, 1)
    columns = np.arange(width, dtype=np.uint64)
    base = np.uint64((seed * _FACTORS[0] + order * _FACTORS[1] + _GAMMA) & _MASK)
    state = base + rows * np.uint64(_FACTORS[2]) + columns * np.uint64(_GAMMA)
    state = (state ^ (state >> np.uint64(30))) * np.uint64(_FIRST)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(_SECOND)
    mixed: NDArray[np.uint64] = state ^ (state >> np.uint64(31))
    return mixed


def chance_of_pair(seed: int, epoch: int, index: int, side: int) -> Random:
    """A generator for one side of one pair in one epoch."""
    place = (epoch * _FACTORS[1] + index * _FACTORS[2] + side * _GAMMA) & _MASK
    return Random((seed & _MASK) << 64 | place)
