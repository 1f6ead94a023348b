"""Integrated gradients: what each unit adds on a straight way from nothing to the source."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from transduce.explain.asking.subject import Subject
from transduce.explain.method import UnitWeights

__all__ = ["IntegratedGradients"]

_NODES, _SHARES = (torch.from_numpy(values) for values in np.polynomial.legendre.leggauss(4))
_LEAST = 0.05  # nats: of a number that hardly changes no share is taken
_WORST = 0.25  # of the largest error: what is cut in two


@dataclass(frozen=True)
class IntegratedGradients:
    """``(x_u - x'_u) · ∫_0^1 ∂f(x' + α (x - x')) / ∂x_u dα``, summed over a unit's numbers.

    Sundararajan, Taly & Yan 2017, "Axiomatic attribution for deep networks", equation 1. ``x'`` is
    the source (or the prefix) with every unit taken away while the other side stays; so a side's
    weights sum to what the number loses with it (completeness, proposition 1).

    The integral is taken piece by piece, each by Gauss and Legendre's rule of four places. Since
    ``f`` is known at both ends, the error of each piece is too, and the worst are cut in two until
    the weights sum to ``f(x) - f(x')`` within ``gap`` (a share of the difference, or of 0.05 nats
    where that is more), or ``most`` gradients of a number were taken. What is left of it is
    reported as ``completeness_gap``, the largest of all numbers and sides.
    """

    name = "integrated-gradients"

    gap: float = 0.005
    pieces: int = 4
    most: int = 4096

    def weigh(self, subject: Subject) -> UnitWeights:
        """At least ``4 · pieces`` gradients of each number for each side."""
        vectors = subject.vectors(subject.source.values)
        prefix = subject.prefix_vectors(subject.prefix)
        nothing = subject.vectors(subject.blank)
        unwritten = subject.prefix_vectors(subject.blank_prefix)
        count = subject.question.count

        def of_source(places: Tensor, which: Tensor) -> tuple[Tensor, Tensor]:
            found, numbers = [], []
            for part in subject.blocks(len(which)):
                between = nothing + places[part, None, None].to(vectors) * (vectors - nothing)
                by_source, _, own = subject.gradients(between, prefix, which[part])
                found.append(subject.units.sums((by_source * (vectors - nothing)).double()))
                numbers.append(own.double())
            return torch.cat(found), torch.cat(numbers)

        def of_prefix(places: Tensor, which: Tensor) -> tuple[Tensor, Tensor]:
            found, numbers = [], []
            for part in subject.blocks(len(which)):
                between = unwritten + places[part, None, None].to(prefix) * (prefix - unwritten)
                _, by_prefix, own = subject.gradients(vectors, between, which[part])
                found.append((by_prefix * (prefix - unwritten)).sum(-1).double())
                numbers.append(own.double())
            return torch.cat(found), torch.cat(numbers)

        source, first = self._integrated(of_source, count)
        before, second = self._integrated(of_prefix, count)
        return UnitWeights(source, before, True, {"completeness_gap": max(first, second)})

    def _integrated(
        self, slopes: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]], count: int
    ) -> tuple[Tensor, float]:
        """Weights ``[Q, U]`` and the largest gap; ``slopes`` gives, at places on the way and for
        the numbers ``which``, how each unit's part grows, ``[N, U]``, and the numbers ``[N]``.
        """
        bounds = torch.linspace(0, 1, self.pieces + 1, dtype=torch.float64)
        which = torch.arange(count).repeat_interleave(self.pieces)
        left, right = bounds[:-1].repeat(count), bounds[1:].repeat(count)
        pieces = _Stretches.of(slopes, left, right, which)
        taken = torch.full((count,), 4 * self.pieces)
        while True:
            totals, gaps = pieces.gaps(count)
            open_ = (gaps > self.gap) & (taken < self.most)
            if not open_.any():
                return totals, float(gaps.max())
            errors = pieces.errors()
            worst = torch.zeros(count, dtype=torch.float64)
            worst = worst.scatter_reduce(0, pieces.which, errors, "amax")
            cut = open_[pieces.which] & (errors >= _WORST * worst[pieces.which])
            taken += 8 * torch.bincount(pieces.which[cut], minlength=count)
            pieces = pieces.cut(slopes, cut)


@dataclass(frozen=True)
class _Stretches:
    """Stretches of the way of some numbers: what each adds ``[P, U]``, the number at its ends."""

    left: Tensor
    right: Tensor
    which: Tensor
    added: Tensor
    at_left: Tensor
    at_right: Tensor

    @classmethod
    def of(
        cls,
        slopes: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]],
        left: Tensor,
        right: Tensor,
        which: Tensor,
    ) -> _Stretches:
        """Four gradients each, and the numbers at both ends."""
        half = (right - left) / 2
        places = left[:, None] + half[:, None] * (_NODES + 1)  # [P, 4]
        found, _ = slopes(places.flatten(), which.repeat_interleave(len(_NODES)))
        shares = _SHARES * half[:, None]  # [P, 4]
        added = (found.view(len(left), len(_NODES), -1).cpu() * shares[:, :, None]).sum(1)
        _, ends = slopes(torch.cat([left, right]), torch.cat([which, which]))
        at_left, at_right = ends.cpu().chunk(2)
        return cls(left, right, which, added, at_left, at_right)

    def errors(self) -> Tensor:
        """How far what is added differs from what the number gains, ``[P]``."""
        return (self.added.sum(1) - (self.at_right - self.at_left)).abs()

    def gaps(self, count: int) -> tuple[Tensor, Tensor]:
        """All that each number's pieces add, ``[Q, U]``, and the share that is missing ``[Q]``."""
        totals = self.added.new_zeros(count, self.added.shape[1])
        totals.index_add_(0, self.which, self.added)
        gains = totals.new_zeros(count).index_add_(0, self.which, self.at_right - self.at_left)
        return totals, (totals.sum(1) - gains).abs() / gains.abs().clamp_min(_LEAST)

    def cut(
        self, slopes: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]], where: Tensor
    ) -> _Stretches:
        """With these pieces cut in two."""
        left, right, which = self.left[where], self.right[where], self.which[where]
        middle = (left + right) / 2
        new = _Stretches.of(
            slopes, torch.cat([left, middle]), torch.cat([middle, right]), torch.cat([which, which])
        )
        names = ("left", "right", "which", "added", "at_left", "at_right")
        joined = (torch.cat([getattr(self, name)[~where], getattr(new, name)]) for name in names)
        return _Stretches(*joined)
