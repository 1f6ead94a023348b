"""Which tokens may be drawn: what is cut off the tail of a distribution before a draw."""

from __future__ import annotations

import torch
from torch import Tensor

from transduce.config import SearchConfig
from transduce.search.choosing.top_k import top

__all__ = ["cut_tail", "cuts_tail", "nucleus", "warped"]


def warped(log_probs: Tensor, options: SearchConfig) -> Tensor:
    """``[M, V]`` divided by the temperature, with -inf for all tokens that may not be drawn.

    What is left is not renormalised.
    """
    scores = log_probs / options.temperature
    kept = scores
    if options.top_k is not None:
        least = top(scores, min(options.top_k, scores.shape[1]))[0][:, -1:]
        kept = kept.masked_fill(scores < least, -torch.inf)
    weights = _distribution(kept)
    if options.top_p is not None:
        found, order = nucleus(weights, None, options.top_p)
        weights = torch.zeros_like(weights).scatter(1, order, found)
    weights = cut_tail(weights, options)
    return scores.masked_fill(weights == 0, -torch.inf)


def _distribution(scores: Tensor) -> Tensor:
    """In double; all zero where nothing is permitted."""
    return torch.softmax(scores.double(), dim=1).nan_to_num(0.0)


def nucleus(weights: Tensor, order: Tensor | None, top_p: float) -> tuple[Tensor, Tensor]:
    """The likeliest of ``weights`` ``[M, V]`` whose sum reaches ``top_p``, and their tokens.

    ``order`` names the tokens of weights that are already sorted.
    """
    if order is None:
        # A nucleus is small as a rule: sort a few, more only where they do not suffice.
        size, count = weights.shape[1], 64
        found, order = top(weights, count)
        while count < size and bool((found.sum(dim=1) < top_p).any()):
            count *= 8
            found, order = top(weights, count)
        weights = found
    before = weights.cumsum(dim=1) - weights
    return weights.masked_fill(before >= top_p, 0.0), order


def cuts_tail(options: SearchConfig) -> bool:
    """Whether :func:`cut_tail` cuts anything."""
    rules = options.min_p, options.typical_p, options.epsilon_cutoff, options.eta_cutoff
    return any(value is not None for value in rules)


def cut_tail(weights: Tensor, options: SearchConfig) -> Tensor:
    """``weights`` ``[M, n]`` with zeros for what ``min_p``, ``typical_p``, ``epsilon_cutoff`` and
    ``eta_cutoff`` cut off, in this order, each of what the one before left as a distribution.

    The likeliest token always stays.
    """
    if options.min_p is not None:  # Nguyen et al. 2024
        weights = _keep(weights, weights >= options.min_p * _most(weights))
    if options.typical_p is not None:
        weights = _typical(weights, options.typical_p)
    if options.epsilon_cutoff is not None:  # Hewitt et al. 2022
        weights = _keep(weights, _shares(weights) >= options.epsilon_cutoff)
    if options.eta_cutoff is not None:  # likewise: the less certain the model, the lower the cut
        shares, cut = _shares(weights), options.eta_cutoff
        certain = torch.exp(-_entropy(shares)) * cut**0.5
        weights = _keep(weights, shares >= certain.clamp(max=cut))
    return weights


def _typical(weights: Tensor, mass: float) -> Tensor:
    """The tokens whose information is nearest to the entropy, until they have ``mass`` (Meister
    et al. 2023).
    """
    shares = _shares(weights)
    away = (-shares.log() - _entropy(shares)).abs()
    near, order = away.sort(dim=1, stable=True)
    enough = (shares.gather(1, order).cumsum(dim=1) < mass).sum(dim=1, keepdim=True)
    limit = near.gather(1, enough.clamp(max=near.shape[1] - 1))
    kept = torch.where(away <= limit, weights, 0.0)
    return torch.where(kept.sum(dim=1, keepdim=True) > 0, kept, weights)


def _keep(weights: Tensor, kept: Tensor) -> Tensor:
    return torch.where(kept | (weights == _most(weights)), weights, 0.0)


def _most(weights: Tensor) -> Tensor:
    return weights.amax(dim=1, keepdim=True)


def _shares(weights: Tensor) -> Tensor:
    return weights / weights.sum(dim=1, keepdim=True).clamp(min=1e-300)


def _entropy(shares: Tensor) -> Tensor:
    """In nats, ``[M, 1]``."""
    information: Tensor = torch.special.entr(shares)
    return information.sum(dim=1, keepdim=True)
