"""SmoothGrad: saliency without the ripples of a single place."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from transduce.explain.asking.subject import Subject
from transduce.explain.method import UnitWeights

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
        real = (vectors[:, : subject.length], prefix)
        noise = [self._noise(values, chance) for values in real]
        by_source, by_prefix = (
            values.new_zeros(len(which), *values.shape[1:]) for values in (vectors, prefix)
        )
        together = max(1, subject.rows_together // len(which))
        for first in range(0, self.samples, together):
            some = [drawn[first : first + together] for drawn in noise]
            beside = vectors[:, subject.length :].expand(len(some[0]), -1, -1)
            noisy = torch.cat([real[0] + some[0], beside], dim=1)
            # [some, …] → [some · Q, …]: the same noise for all numbers
            rows = [own.repeat_interleave(len(which), 0) for own in (noisy, prefix + some[1])]
            found = subject.gradients(rows[0], rows[1], which.repeat(len(some[0])))
            by_source += found[0].view(-1, *by_source.shape).sum(0)
            by_prefix += found[1].view(-1, *by_prefix.shape).sum(0)
        return UnitWeights(
            (subject.units.norms(by_source) / self.samples).double(),
            (by_prefix.norm(dim=-1) / self.samples).double(),
            signed=False,
        )

    def _noise(self, values: Tensor, chance: torch.Generator) -> Tensor:
        deviation = self.noise * (values.max() - values.min())
        shape = (self.samples, *values.shape[1:])
        drawn = torch.randn(shape, generator=chance, dtype=torch.float64)
        return deviation * drawn.to(values)
