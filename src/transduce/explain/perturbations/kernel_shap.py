"""Kernel SHAP: Shapley values by a weighted regression."""

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

__all__ = ["KernelShap"]


@dataclass(frozen=True)
class KernelShap:
    """``argmin_φ Σ_z π(z) (f(z) - f(∅) - Σ_u z_u φ_u)²`` with ``Σ_u φ_u = f(x) - f(∅)``.

    Lundberg & Lee 2017, "A unified approach to interpreting model predictions", theorem 2, with
    ``π(z) = (P - 1) / (C(P, |z|) |z| (P - |z|))`` for P units. Where there are no more than
    ``samples`` combinations all are taken, and φ are the Shapley values themselves. Else
    combinations are drawn by π, each with its complement (Covert & Lee 2021, section 4.2).
    """

    name = "kernel-shap"

    samples: int = 512
    seed: int = 1

    def weigh(self, subject: Subject) -> UnitWeights:
        """``samples`` forward passes of the source, and of the prefix for each number."""
        chance = torch.Generator().manual_seed(self.seed)
        source, before = of_source(subject), of_prefix(subject)
        return UnitWeights(self._values(source, chance), self._values(before, chance), signed=True)

    def _values(self, side: Players, chance: torch.Generator) -> Tensor:
        """``[Q, P]``; numbers that see as many units share their draws."""
        found = torch.zeros(len(side.visible), side.players, dtype=torch.float64)
        for visible in sorted(set(side.visible.tolist())):
            rows = side.visible == visible
            there, shares = self._drawn(visible, chance)
            ends = torch.tensor([[False], [True]]).expand(2, visible)
            kept = torch.ones(len(there) + 2, side.players, dtype=torch.bool)
            kept[:, :visible] = torch.cat([ends, there])
            numbers = side.some_numbers(kept, rows)
            found[rows, :visible] = _fitted(there.double(), shares, numbers)
        return found

    def _drawn(self, players: int, chance: torch.Generator) -> tuple[Tensor, Tensor]:
        """Combinations, neither of none nor of all, and how much each counts."""
        if players < 31 and 1 << players <= self.samples + 2:
            there = all_coalitions(players)[1:-1]
            sizes = there.sum(1).double()
            count = torch.lgamma(torch.tensor(players + 1.0, dtype=torch.float64))
            choices = count - torch.lgamma(sizes + 1) - torch.lgamma(players - sizes + 1)
            return there, (players - 1) / (choices.exp() * sizes * (players - sizes))
        sizes = torch.arange(1, players)
        shares = 1 / (sizes * (players - sizes))
        drawn = 1 + torch.multinomial(shares, self.samples // 2, True, generator=chance)
        ranks = torch.rand(len(drawn), players, generator=chance).argsort(1).argsort(1)
        there = ranks < drawn[:, None]
        there = torch.cat([there, ~there])
        return there, torch.ones(len(there), dtype=torch.float64)


def _fitted(there: Tensor, shares: Tensor, numbers: Tensor) -> Tensor:
    """Float64 ``[N, P]``, ``[N]``, and the numbers of none, of all and of these ``[2 + N, Q]``
    to values ``[Q, P]``.
    """
    nothing, whole, some = numbers[0], numbers[1], numbers[2:]
    players = there.shape[1]
    if players == 1:
        return (whole - nothing)[:, None]
    # The last unit has what the others leave of f(x) - f(∅), which takes the constraint out.
    last = there[:, -1:]
    design = there[:, :-1] - last
    values = some - nothing - last * (whole - nothing)
    root = shares.sqrt()[:, None]
    first = torch.linalg.lstsq(root * design, root * values, driver="gelsd").solution  # [P-1, Q]
    return torch.cat([first, (whole - nothing - first.sum(0))[None]]).T
