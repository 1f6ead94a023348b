"""How hypotheses of different lengths are compared, and how long they may be."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from transduce.config import SearchConfig

__all__ = ["Limits", "best_possible", "coverage_penalty", "length_penalty", "normalize"]

# Attention below this counts as this, so that a position never looked at costs much, not infinity.
_LEAST_COVERAGE = 1e-6
_ROUNDING = 1e-9


def length_penalty(lengths: Tensor, options: SearchConfig) -> Tensor:
    """What log-probabilities are divided by, for hypotheses of n scored tokens (END counted).

    none: 1; average: n; gnmt: ((5 + n) / 6) ** alpha (Wu et al. 2016, section 7).
    """
    counts = lengths.clamp(min=1).double()
    if options.length_normalization == "none":
        return torch.ones_like(counts)
    if options.length_normalization == "average":
        return counts
    return ((5.0 + counts) / 6.0) ** options.length_alpha


def normalize(log_probability: Tensor, lengths: Tensor, options: SearchConfig) -> Tensor:
    """Score of hypotheses before the coverage penalty; both tensors broadcast."""
    penalty = length_penalty(lengths, options).to(log_probability.dtype)
    return log_probability / penalty


def best_possible(log_probability: Tensor, longest: Tensor, options: SearchConfig) -> Tensor:
    """An upper bound of the score that any continuation can reach.

    A continuation never gains probability, its penalty is at most that of ``longest``
    tokens plus END, and the coverage penalty is never above zero.
    """
    return normalize(log_probability, longest + 1, options)


def coverage_penalty(coverage: Tensor, mask: Tensor, weight: float) -> Tensor:
    """Compute weight · Σ_i log min(Σ_j a_ij, 1) over source positions i (Wu et al. 2016, eq. 14).

    ``coverage`` ``[..., S]`` is the attention summed over output steps j; ``mask`` bool
    ``[..., S]`` is true at real source positions. Never above zero.
    """
    terms = coverage.clamp(min=_LEAST_COVERAGE, max=1.0).log()
    return weight * torch.where(mask, terms, torch.zeros_like(terms)).sum(-1)


@dataclass(frozen=True, slots=True)
class Limits:
    """How many tokens (END not counted) each sentence's output may have; int64 ``[B]``."""

    minimum: Tensor
    maximum: Tensor

    @classmethod
    def of(cls, source_lengths: Tensor, options: SearchConfig, prefix: int) -> Limits:
        """From the number of source tokens without END, int64 ``[B]``.

        The stricter of the absolute limit and the ratio holds. Where they meet for a
        short or long source the maximum wins, and it leaves room for one token and for
        the forced prefix.
        """
        lowest: list[int] = []
        highest: list[int] = []
        for count in source_lengths.tolist():
            most = options.max_length
            if options.max_length_ratio is not None:
                most = min(most, math.floor(options.max_length_ratio * count + _ROUNDING))
            most = max(most, prefix, 1)
            least = options.min_length
            if options.min_length_ratio is not None:
                least = max(least, math.ceil(options.min_length_ratio * count - _ROUNDING))
            lowest.append(min(least, most))
            highest.append(most)
        device = source_lengths.device
        return cls(torch.tensor(lowest, device=device), torch.tensor(highest, device=device))

    def repeat(self, times: int) -> Limits:
        """Each sentence's limits ``times`` times in a line."""
        return Limits(self.minimum.repeat_interleave(times), self.maximum.repeat_interleave(times))

    def select(self, kept: Tensor) -> Limits:
        """Keep some entries (int64)."""
        return Limits(self.minimum[kept], self.maximum[kept])
