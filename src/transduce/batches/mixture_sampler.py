"""Which pairs of a mixture an epoch holds: shares by temperature, no pair twice before its time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["MixtureSampler", "shares"]


def shares(
    sizes: Sequence[int], weights: Sequence[float], temperature: float
) -> NDArray[np.float64]:
    """The share of each part, ``p_i ∝ w_i · n_i^(1/T)``, ``[parts]`` (Arivazhagan et al. 2019).

    A temperature of 1 gives each part what its size is worth, a high one all parts the same;
    a part without pairs has none.
    """
    logarithms = np.array(
        [
            math.log(n) / temperature + math.log(w) if n else -math.inf
            for n, w in zip(sizes, weights, strict=True)
        ]
    )
    powers: NDArray[np.float64] = np.exp(logarithms - logarithms.max())
    powers /= powers.sum()
    return powers


@dataclass(frozen=True, slots=True)
class MixtureSampler:
    """Draws the pairs of each epoch. Part i has pairs ``starts[i]`` to ``starts[i] + sizes[i]``.

    An epoch has as many pairs as all parts have together, but for rounding. Each part is read
    round after round, each round in an order of its own, and every epoch goes on where the one
    before it stopped: a pair comes again only when all others of its part have come. Shares are
    exact over epochs. All of it follows from ``seed`` and the epoch, so nothing has to be kept
    for a resume. Memory: 8 bytes for each pair of an epoch, and for each of one part.
    """

    sizes: tuple[int, ...]
    weights: tuple[float, ...]
    temperature: float
    seed: int

    def __post_init__(self) -> None:
        """Raise ValueError where there is no pair."""
        if not sum(self.sizes):
            raise ValueError("sizes must count at least one pair; got none")

    @property
    def rates(self) -> NDArray[np.float64]:
        """How many pairs of each part an epoch holds on average, ``[parts]``."""
        return shares(self.sizes, self.weights, self.temperature) * sum(self.sizes)

    def draw(self, epoch: int) -> NDArray[np.int64]:
        """The pairs of an epoch (from 0), part after part, int64 ``[about sum(sizes)]``."""
        ends = np.cumsum(self.sizes, dtype=np.int64)
        pieces = []
        for part, (size, rate) in enumerate(zip(self.sizes, self.rates.tolist(), strict=True)):
            first, last = _pairs_until(rate, epoch), _pairs_until(rate, epoch + 1)
            pieces += [order + (ends[part] - size) for order in self._rounds(part, first, last)]
        return np.concatenate(pieces)

    def _rounds(self, part: int, first: int, last: int) -> list[NDArray[np.int64]]:
        """Pairs number ``first`` to ``last`` of the endless line of a part's rounds."""
        size = self.sizes[part]
        pieces = []
        while first < last:
            number, begin = divmod(first, size)
            end = min(size, begin + last - first)
            pieces.append(self._round(part, number)[begin:end])
            first += end - begin
        return pieces

    def _round(self, part: int, number: int) -> NDArray[np.int64]:
        chance = np.random.Generator(np.random.PCG64([self.seed % 2**64, part, number]))
        return chance.permutation(self.sizes[part])


def _pairs_until(rate: float, epoch: int) -> int:
    # Rates that are whole numbers must not lose a pair to rounding.
    return math.floor(rate * epoch + 1e-6)
