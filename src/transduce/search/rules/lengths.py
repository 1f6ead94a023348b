"""How hypotheses of different lengths are compared, and how long they may be."""

from __future__ import annotations

import torch
from torch import Tensor

from transduce.config import SearchConfig
from transduce.interfaces import Source
from transduce.kernels.running import beam_plans
from transduce.kernels.running.beam_plans import limits

__all__ = [
    "all_limits",
    "coverage_penalty",
    "length_penalties",
    "length_penalty",
    "limits",
    "normalize",
]

# Attention below this counts as this, so that a position never looked at costs much, not infinity.
_LEAST_COVERAGE = 1e-6


def length_penalty(length: int, options: SearchConfig) -> float:
    """What log-probabilities are divided by, for a hypothesis of n scored tokens (END counted)."""
    return beam_plans.length_penalty(length, options.length_normalization, options.length_alpha)


def length_penalties(count: int, options: SearchConfig) -> tuple[float, ...]:
    """The :func:`length_penalty` of 0, 1, … ``count`` - 1 scored tokens."""
    return beam_plans.length_penalties(count, options.length_normalization, options.length_alpha)


def normalize(log_probability: float, length: int, options: SearchConfig) -> float:
    """Score of a hypothesis of ``length`` scored tokens before the coverage penalty."""
    return log_probability / length_penalty(length, options)


def coverage_penalty(coverage: Tensor, mask: Tensor, weight: float) -> Tensor:
    """Compute weight · Σ_i log min(Σ_j a_ij, 1) over source positions i (Wu et al. 2016, eq. 14).

    ``coverage`` ``[..., S]`` is the attention summed over output steps j; ``mask`` bool
    ``[..., S]`` is true at real source positions. Never above zero.
    """
    terms = coverage.clamp(min=_LEAST_COVERAGE, max=1.0).log()
    # One after the other: the order of a plain sum hangs on how much padding there is.
    return weight * torch.where(mask, terms, torch.zeros_like(terms)).cumsum(-1)[..., -1]


def all_limits(source: Source, options: SearchConfig, prefix: int) -> list[tuple[int, int]]:
    """The :func:`limits` of each sentence; the END of a source of tokens does not count."""
    lengths = (source.lengths - int(source.is_tokens)).tolist()
    return [limits(length, options, prefix) for length in lengths]
