"""SmoothGrad: saliency without the ripples of a single place."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from transduce.explain.method import UnitWeights
from transduce.explain.subject import Subject

__all__ = ["SmoothGrad"]


@dataclass(frozen=True)
class SmoothGrad:
    """``‖1/n Σ_i ∂f(x + ε_i) / ∂x_u‖₂`` with normal noise ε.

    Smilkov et al. 2017, "SmoothGrad: removing noise by adding noise", section 3. ``noise`` is the
    standard deviation as a share of the largest difference between two numbers of the source;
    source and prefix each have their own. Never negative.
    """

    name = "smoothgrad"

    samples: int = 32
    noise: float = 0.15
    seed: int = 1

    def weigh(self, subject: Subject) -> UnitWeights:
        """``samples`` forward and backward passes for each number."""
        vectors = subject.vectors(subject.source.values)
        prefix = subject.prefix_vectors(subject.prefix)
        chance = torch.Generator().manual_seed(self.seed)
        which = torch.arange(subject.question.count, device=vectors.device)
        # The same noise for all numbers, so that each hangs on the seed alone.
        by_source, by_prefix = (
            values.new_zeros(len(which), *values.shape[1:]) for values in (vectors, prefix)
        )
        for _ in range(self.samples):
            real = (vectors[:, : subject.length], prefix)
            noise = [self._noise(values, chance) for values in real]
            noisy = [
                torch.cat([real[0] + noise[0], vectors[:, subject.length :]], dim=1),
                prefix + noise[1],
            ]
            found = subject.gradients(noisy[0], noisy[1], which)
            by_source, by_prefix = by_source + found[0], by_prefix + found[1]
        return UnitWeights(
            (subject.units.norms(by_source) / self.samples).double(),
            (by_prefix.norm(dim=-1) / self.samples).double(),
            signed=False,
        )

    def _noise(self, values: Tensor, chance: torch.Generator) -> Tensor:
        deviation = self.noise * (values.max() - values.min())
        drawn = torch.randn(values.shape, generator=chance, dtype=torch.float64)
        return deviation * drawn.to(values)
