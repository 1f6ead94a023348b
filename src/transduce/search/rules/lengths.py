"""How hypotheses of different lengths are compared, and how long they may be."""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor

from transduce.config import SearchConfig
from transduce.interfaces import Source

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
_ROUNDING = 1e-9


def length_penalty(length: int, options: SearchConfig) -> float:
    """What log-probabilities are divided by, for a hypothesis of n scored tokens (END counted).

    none: 1; average: n; power: n ** alpha; gnmt: ((5 + n) / 6) ** alpha (Wu et al. 2016,
    section 7).
    """
    if options.length_normalization == "none":
        return 1.0
    count = max(length, 1)
    if options.length_normalization == "average":
        return float(count)
    base = float(count) if options.length_normalization == "power" else (5.0 + count) / 6.0
    penalty: float = base**options.length_alpha
    return penalty


def length_penalties(count: int, options: SearchConfig) -> tuple[float, ...]:
    """The :func:`length_penalty` of 0, 1, … ``count`` - 1 scored tokens."""
    return _penalties(count, options.length_normalization, options.length_alpha)


@lru_cache(maxsize=8)  # a search asks anew at each batch
def _penalties(count: int, normalization: str, alpha: float) -> tuple[float, ...]:
    options = SearchConfig.model_construct(length_normalization=normalization, length_alpha=alpha)
    return tuple(length_penalty(length, options) for length in range(count))


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


def limits(source_tokens: int, options: SearchConfig, prefix: int) -> tuple[int, int]:
    """How many tokens (END not counted) the output of a source of so many may have.

    The stricter of the absolute limit and the ratio holds. Where they meet for a short or
    long source the maximum wins, and it leaves room for one token and for the forced prefix.
    """
    most = options.max_length
    if options.max_length_ratio is not None:
        most = min(most, math.floor(options.max_length_ratio * source_tokens + _ROUNDING))
    most = max(most, prefix, 1)
    least = options.min_length
    if options.min_length_ratio is not None:
        least = max(least, math.ceil(options.min_length_ratio * source_tokens - _ROUNDING))
    return min(least, most), most


def all_limits(source: Source, options: SearchConfig, prefix: int) -> list[tuple[int, int]]:
    """The :func:`limits` of each sentence; the END of a source of tokens does not count."""
    lengths = (source.lengths - int(source.is_tokens)).tolist()
    return [limits(length, options, prefix) for length in lengths]
