"""LIME: a linear model of the number near the source."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from transduce.explain.asking.subject import Subject
from transduce.explain.method import UnitWeights
from transduce.explain.perturbations.coalitions import (
    Players,
    all_coalitions,
    of_prefix,
    of_source,
)

__all__ = ["Lime"]


@dataclass(frozen=True)
class Lime:
    """The slopes of ``argmin_g Σ_z π(z) (f(z) - g(z))² + λ ‖g‖²``, g linear in z.

    Ribeiro, Singh & Guestrin 2016, "Why should I trust you?", equations 1 and 2, with a ridge in
    the place of the lasso, as in the authors' own program. ``z`` says which units are there, each
    with probability 1/2 in ``samples`` draws (all combinations where there are no more than that);
    ``π(z) = exp(-D² / width²)`` with the cosine distance ``D = 1 - √(units there / units)``; λ is
    ``ridge`` times the sum of π.
    """

    name = "lime"

    samples: int = 512
    width: float = 0.25
    ridge: float = 1e-4
    seed: int = 1

    def weigh(self, subject: Subject) -> UnitWeights:
        """``samples`` forward passes for each side, for all numbers together."""
        chance = torch.Generator().manual_seed(self.seed)
        source = self._slopes(of_source(subject), chance)
        before = self._slopes(of_prefix(subject), chance)
        return UnitWeights(source, before, signed=True)

    def _slopes(self, side: Players, chance: torch.Generator) -> Tensor:
        """``[Q, P]``."""
        if side.players < 31 and 1 << side.players <= self.samples:
            there = all_coalitions(side.players)
        else:
            there = torch.rand(self.samples, side.players, generator=chance) < 0.5
            there[0] = True
        numbers = side.numbers(there)
        found = numbers.new_zeros(numbers.shape[1], side.players)
        for visible in sorted(set(side.visible.tolist())):
            # A number that sees fewer units is explained by these alone.
            rows = side.visible == visible
            found[rows, :visible] = self._fitted(there[:, :visible], numbers[:, rows])
        return found

    def _fitted(self, there: Tensor, numbers: Tensor) -> Tensor:
        """Bool ``[N, P]`` and numbers ``[N, Q]`` to slopes ``[Q, P]``."""
        z = there.double()
        distance = 1 - (z.sum(1) / z.shape[1]).sqrt()
        near = (-((distance / self.width) ** 2)).exp()
        near = near / near.sum()
        z = z - near @ z  # with an intercept that no ridge holds back
        values = numbers - near @ numbers
        weighted = z.T * near
        ridge = self.ridge * torch.eye(z.shape[1], dtype=z.dtype)
        slopes: Tensor = torch.linalg.solve(weighted @ z + ridge, weighted @ values)
        return slopes.T
