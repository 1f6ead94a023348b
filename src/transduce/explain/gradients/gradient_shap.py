"""Gradient SHAP: integrated gradients from many other sources at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from transduce.explain.asking.subject import Subject
from transduce.explain.method import UnitWeights

__all__ = ["GradientShap"]


@dataclass(frozen=True)
class GradientShap:
    """``E[(x_u - b_u) · ∂f(b + α (x - b)) / ∂x_u]`` over baselines b and α uniform in [0, 1].

    Lundberg & Lee 2017, "A unified approach to interpreting model predictions"; as expected
    gradients Erion et al. 2021, "Improving performance of deep learning models with axiomatic
    attribution priors", equation 3. Baselines of texts are random symbols, those of frames the
    source's own frames in a random order. The α are stratified: one in each of ``samples`` equal
    parts. Source and prefix each have their own baselines, while the other side stays.
    """

    name = "gradient-shap"

    samples: int = 64
    seed: int = 1

    def weigh(self, subject: Subject) -> UnitWeights:
        """``samples`` gradients of each number for each side; the same draws for all numbers."""
        chance = torch.Generator().manual_seed(self.seed)
        vectors = subject.vectors(subject.source.values)
        prefix = subject.prefix_vectors(subject.prefix)
        count = subject.question.count

        def of_source(baselines: Tensor, places: Tensor) -> Tensor:
            way = vectors - baselines
            rows = (baselines + places * way).repeat_interleave(count, 0)
            by_source, _, _ = subject.gradients(rows, prefix, torch.arange(count).repeat(len(way)))
            return subject.units.sums((by_source * way.repeat_interleave(count, 0)).double())

        def of_prefix(baselines: Tensor, places: Tensor) -> Tensor:
            way = prefix - baselines
            rows = (baselines + places * way).repeat_interleave(count, 0)
            which = torch.arange(count).repeat(len(way))
            _, by_prefix, _ = subject.gradients(vectors, rows, which)
            return (by_prefix * way.repeat_interleave(count, 0)).sum(-1).double()

        def source_drawn(some: int) -> Tensor:
            return subject.vectors(subject.drawn(some, chance))

        def prefix_drawn(some: int) -> Tensor:
            return subject.prefix_vectors(subject.drawn_prefix(some, chance))

        together = max(1, subject.rows_together // count)
        source = self._mean(of_source, source_drawn, together, count, chance)
        before = self._mean(of_prefix, prefix_drawn, together, count, chance)
        return UnitWeights(source, before, signed=True)

    def _mean(
        self,
        weights: Callable[[Tensor, Tensor], Tensor],
        draw: Callable[[int], Tensor],
        together: int,
        count: int,
        chance: torch.Generator,
    ) -> Tensor:
        """The mean of ``weights`` ``[some · Q, U]`` over baselines and places, ``[Q, U]``."""
        parts = torch.randperm(self.samples, generator=chance)
        places = (parts + torch.rand(self.samples, generator=chance)) / self.samples
        found = []
        for first in range(0, self.samples, together):
            some = places[first : first + together]
            baselines = draw(len(some))
            own = weights(baselines, some.to(baselines)[:, None, None])
            found.append(own.view(len(some), count, -1))
        return torch.cat(found).mean(0)
