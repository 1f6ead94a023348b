"""Mixup: pairs half-way between two pairs, whose targets are half the one and half the other."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from transduce.interfaces import PADDING
from transduce.modules.chance import generator
from transduce.training.objectives.forward import Forward
from transduce.training.objectives.token_loss import token_loss

__all__ = ["Mixup", "mixed"]


class Mixup:
    """``-λ log P(y | m) - (1 - λ) log P(y' | m)``, where m are the embeddings
    ``λ s + (1 - λ) s'`` of two pairs (Zhang et al. 2018; Guo et al. 2020 for sequences).

    ``s`` are the embeddings of a source and of what its decoder reads; positions behind a pair's
    end count as zero. ``λ ~ Beta(α, α)`` is one for a batch, s' is another pair of the batch.
    """

    name = "mixup"

    def __init__(self, alpha: float, smoothing: float = 0.0) -> None:
        """``alpha`` is α, above 0: small ones mix little, 1 mixes evenly."""
        self._alpha = alpha
        self._smoothing = smoothing

    def __call__(self, forward: Forward) -> Tensor:
        """A sum over target tokens, in nats."""
        targets, lengths = forward.batch.target_output, forward.source_mask.sum(1)
        share, turn = self._drawn(len(targets))
        source = mixed(forward.source_vectors, forward.source_mask, share, turn)
        target = mixed(forward.target_vectors, targets != PADDING, share, turn)
        logits = forward.reading(source, target, lengths.maximum(lengths.roll(turn)))
        own, _ = token_loss(logits, targets, self._smoothing)
        other, _ = token_loss(logits, targets.roll(turn, 0), self._smoothing)
        return share * own + (1 - share) * other

    def _drawn(self, rows: int) -> tuple[float, int]:
        """λ, and by how many rows another pair lies behind a pair."""
        seed = int(torch.randint(2**62, (), generator=generator()))
        random = np.random.default_rng(seed)
        return float(random.beta(self._alpha, self._alpha)), int(random.integers(1, max(2, rows)))


def mixed(vectors: Tensor, mask: Tensor, share: float, turn: int) -> Tensor:
    """``λ v_b + (1 - λ) v_(b - turn)`` of vectors ``[B, S, E]``, zero where bool ``[B, S]`` is
    false.
    """
    real = vectors * mask[..., None]
    return share * real + (1 - share) * real.roll(turn, 0)
