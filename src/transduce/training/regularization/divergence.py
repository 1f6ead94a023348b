"""How far two predictions of the same tokens lie apart."""

from __future__ import annotations

import torch
from torch import Tensor

from transduce.interfaces import PADDING

__all__ = ["divergence", "symmetric_divergence"]


def divergence(p: Tensor, q: Tensor, targets: Tensor) -> Tensor:
    """``Σ_t KL(p_t ‖ q_t) = Σ_t Σ_k p_t(k) (log p_t(k) - log q_t(k))`` where a target is real.

    ``p`` and ``q`` are logits ``[B, T, V]``, ``targets`` int64 ``[B, T]``. The sum is made in
    float32 (float64 for float64), in nats; its gradient goes through both.
    """
    log_p, log_q = _log_probs(p, targets), _log_probs(q, targets)
    return (log_p.exp() * (log_p - log_q)).sum()


def symmetric_divergence(p: Tensor, q: Tensor, targets: Tensor) -> Tensor:
    """``Σ_t KL(p_t ‖ q_t) + KL(q_t ‖ p_t) = Σ_t Σ_k (p_t(k) - q_t(k)) (log p_t(k) - log q_t(k))``.

    Shapes and types as in :func:`divergence`.
    """
    log_p, log_q = _log_probs(p, targets), _log_probs(q, targets)
    return ((log_p.exp() - log_q.exp()) * (log_p - log_q)).sum()


def _log_probs(logits: Tensor, targets: Tensor) -> Tensor:
    """Of the real targets alone, ``[N, V]``."""
    real = logits[targets != PADDING]
    return torch.log_softmax(real, dim=-1, dtype=torch.promote_types(real.dtype, torch.float32))
