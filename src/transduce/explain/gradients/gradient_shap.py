"""Gradient SHAP: integrated gradients from many other sources at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from transduce.explain.method import UnitWeights
from transduce.explain.subject import Subject

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
        which = torch.arange(subject.question.count)

        def of_source(baseline: Tensor, place: float) -> Tensor:
            by_source, _, _ = subject.gradients(
                baseline + place * (vectors - baseline), prefix, which
            )
            return subject.units.sums((by_source * (vectors - baseline)).double())

        def of_prefix(baseline: Tensor, place: float) -> Tensor:
            _, by_prefix, _ = subject.gradients(
                vectors, baseline + place * (prefix - baseline), which
            )
            return (by_prefix * (prefix - baseline)).sum(-1).double()

        source = self._mean(of_source, lambda: subject.vectors(subject.drawn(1, chance)), chance)
        before = self._mean(
            of_prefix, lambda: subject.prefix_vectors(subject.drawn_prefix(1, chance)), chance
        )
        return UnitWeights(source, before, signed=True)

    def _mean(
        self,
        weights: Callable[[Tensor, float], Tensor],
        draw: Callable[[], Tensor],
        chance: torch.Generator,
    ) -> Tensor:
        """The mean of ``weights`` over baselines and places."""
        parts = torch.randperm(self.samples, generator=chance)
        places = (parts + torch.rand(self.samples, generator=chance)) / self.samples
        found = [weights(draw(), place) for place in places.tolist()]
        return torch.stack(found).mean(0)
