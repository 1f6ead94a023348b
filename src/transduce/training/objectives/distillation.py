"""Distillation: a student learns what a teacher holds likely, token by token."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from transduce.interfaces import PADDING
from transduce.training.objectives.forward import Forward
from transduce.training.objectives.token_loss import row_blocks

__all__ = ["Distillation", "Teaching", "distillation_loss"]


class Teaching(Protocol):
    """What a teacher said to each pair of a corpus, the gold tokens before it."""

    def rows(self, indices: Sequence[int], width: int) -> tuple[Tensor, Tensor]:
        """Of some pairs the likeliest tokens, int64 ``[B, T, K]``, and their log-probabilities,
        float32 ``[B, T, K]``; T is ``width``, and where a target has ended all is 0.
        """
        ...


class Distillation:
    """:func:`distillation_loss` of the decoder's logits."""

    name = "distillation"

    def __init__(self, teaching: Teaching, temperature: float = 1.0) -> None:
        """``temperature`` is τ, above 0; larger ones tell more of what is unlikely."""
        self._teaching = teaching
        self._temperature = temperature

    def __call__(self, forward: Forward) -> Tensor:
        """A sum over target tokens, in nats."""
        targets = forward.batch.target_output
        tokens, log_probs = self._teaching.rows(forward.batch.indices, targets.shape[1])
        device = forward.logits.device
        return distillation_loss(
            forward.logits, targets, tokens.to(device), log_probs.to(device), self._temperature
        )


def distillation_loss(
    logits: Tensor, targets: Tensor, tokens: Tensor, log_probs: Tensor, temperature: float = 1.0
) -> Tensor:
    """``τ² Σ −Σ_k q_k log p_k`` over all targets that are not PADDING, in nats.

    ``p = softmax(z / τ)`` are the student's, ``q ∝ teacher^(1/τ)`` the teacher's probabilities,
    shared out among the tokens that were kept of it (Hinton et al. 2015, section 2.1; Kim & Rush
    2016, eq. 4; Tan et al. 2019 keep as few). τ² keeps gradients as large as at τ = 1. It
    differs from the Kullback-Leibler divergence by the entropy of q, which does not learn.

    Args:
        logits: the student's, ``[B, T, V]``; the sums are made in float32 (float64 for float64).
        targets: int64 ``[B, T]``, for its PADDING.
        tokens: int64 ``[B, T, K]``, those that were kept.
        log_probs: the teacher's, ``[B, T, K]``.
        temperature: τ, above 0.
    """
    vocabulary, kept = logits.shape[-1], tokens.shape[-1]
    loss: Tensor = _Distilled.apply(  # type: ignore[no-untyped-call]
        logits.reshape(-1, vocabulary),
        targets.reshape(-1),
        tokens.reshape(-1, kept),
        log_probs.reshape(-1, kept),
        temperature,
    )
    return loss


class _Distilled(torch.autograd.Function):
    """With ``z`` the logits over τ, a token costs ``τ² (log Σ exp z − Σ_k q_k z_k)``.

    Its gradient is ``τ (softmax(z) − q)``. In blocks, and written down, no second ``[N, V]`` is
    held but the gradient, of which automatic differentiation makes four more.
    """

    @staticmethod
    def forward(
        ctx: Any, logits: Tensor, targets: Tensor, tokens: Tensor, log_probs: Tensor, tau: float
    ) -> Tensor:
        precise = torch.promote_types(logits.dtype, torch.float32)
        q = torch.softmax(log_probs.to(precise) / tau, dim=-1)
        normalisers = torch.empty(logits.shape[0], dtype=precise, device=logits.device)
        loss = torch.zeros((), dtype=precise, device=logits.device)
        for rows in row_blocks(logits):
            block = logits[rows].to(precise) / tau
            normaliser = torch.logsumexp(block, dim=-1, out=normalisers[rows])
            mean = (q[rows] * block.gather(1, tokens[rows])).sum(-1)
            loss += (normaliser - mean).masked_fill_(targets[rows] == PADDING, 0).sum()
        ctx.save_for_backward(logits, targets, tokens, q, normalisers)
        ctx.tau = tau
        return tau**2 * loss

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None, None]:
        logits, targets, tokens, q, normalisers = ctx.saved_tensors
        result = torch.empty_like(logits)
        for rows in row_blocks(logits):
            block = (logits[rows].to(q.dtype) / ctx.tau - normalisers[rows, None]).exp_()
            block.scatter_add_(1, tokens[rows], -q[rows])
            block *= (targets[rows, None] != PADDING) * (ctx.tau * gradient)
            result[rows] = block
        return result, None, None, None, None
