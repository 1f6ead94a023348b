"""The loss of target tokens, with label smoothing, over the real tokens of a batch."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from transduce.interfaces import PADDING
from transduce.kernels.loss import has_native_loss, loss_gradient, normalize_rows

__all__ = ["row_blocks", "token_loss"]

# Rows are worked on in blocks of about so many numbers: on a CPU a block then stays in the
# cache through all passes over it, and no second [B, T, V] in float32 is ever held.
_BLOCK = {"cpu": 1 << 18, "cuda": 1 << 24}


def token_loss(logits: Tensor, targets: Tensor, smoothing: float = 0.0) -> tuple[Tensor, Tensor]:
    """Sum the loss over all targets that are not PADDING, in nats.

    Label smoothing (Szegedy et al. 2016, section 7) takes as the true distribution
    ``q(k) = (1 - ε)·[k = y] + ε / V``, so that with ``p = softmax(logits)`` one token costs
    ``-(1 - ε)·log p(y) - (ε / V)·Σ_k log p(k)``.

    Args:
        logits: ``[B, T, V]``, any float type; the sums are made in float32 (float64 for float64).
        targets: int64 ``[B, T]``.
        smoothing: ε, in ``[0, 1)``.

    Returns:
        Two scalars: what is minimised (with smoothing; has a gradient), and the plain negative
        log-likelihood (ε = 0; no gradient), which compares with the loss on dev.
    """
    vocabulary = logits.shape[-1]
    cross_entropy = _NativeCrossEntropy if has_native_loss(logits) else _SmoothedCrossEntropy
    objective, likelihood = cross_entropy.apply(  # type: ignore[no-untyped-call]
        logits.reshape(-1, vocabulary), targets.reshape(-1), smoothing
    )
    return objective, likelihood


class _NativeCrossEntropy(torch.autograd.Function):
    """The same as below in two passes of a compiled kernel, over bfloat16 as it is."""

    @staticmethod
    def forward(
        ctx: Any, logits: Tensor, targets: Tensor, smoothing: float
    ) -> tuple[Tensor, Tensor]:
        logits, targets = logits.contiguous(), targets.contiguous()
        normalisers, means = normalize_rows(logits)
        gold = logits.gather(1, targets[:, None])[:, 0].float()
        padding = targets == PADDING
        likelihood = (normalisers - gold).masked_fill_(padding, 0).sum()
        objective = likelihood + smoothing * (gold - means).masked_fill_(padding, 0).sum()
        ctx.save_for_backward(logits, targets, normalisers)
        ctx.smoothing = smoothing
        ctx.mark_non_differentiable(likelihood)
        return objective, likelihood

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        logits, targets, normalisers = ctx.saved_tensors
        scale = float(gradients[0])
        return loss_gradient(logits, targets, normalisers, ctx.smoothing, scale), None, None


class _SmoothedCrossEntropy(torch.autograd.Function):
    """With ``z`` the logits, ``lse = log Σ exp z``: a token costs ``lse - (1-ε)·z_y - ε·mean(z)``.

    Its gradient is ``softmax(z) - q``. Writing both down saves half the passes over ``[N, V]``
    that automatic differentiation makes, and all but one of its buffers.
    """

    @staticmethod
    def forward(
        ctx: Any, logits: Tensor, targets: Tensor, smoothing: float
    ) -> tuple[Tensor, Tensor]:
        precise = torch.promote_types(logits.dtype, torch.float32)
        normalisers = torch.empty(logits.shape[0], dtype=precise, device=logits.device)
        objective = torch.zeros((), dtype=precise, device=logits.device)
        likelihood = torch.zeros_like(objective)
        for rows in row_blocks(logits):
            block, target = logits[rows].to(precise), targets[rows]
            padding = target == PADDING
            normaliser = torch.logsumexp(block, dim=-1, out=normalisers[rows])
            gold = block.gather(1, target[:, None])[:, 0]
            likelihood += (normaliser - gold).masked_fill_(padding, 0).sum()
            if smoothing:
                gap = (gold - block.mean(-1)).masked_fill_(padding, 0)
                objective += smoothing * gap.sum()
        objective += likelihood
        ctx.save_for_backward(logits, targets, normalisers)
        ctx.smoothing = smoothing
        ctx.mark_non_differentiable(likelihood)
        return objective, likelihood

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        logits, targets, normalisers = ctx.saved_tensors
        smoothing, vocabulary = ctx.smoothing, logits.shape[-1]
        result = torch.empty_like(logits)
        for rows in row_blocks(logits):
            block = (logits[rows] - normalisers[rows, None]).exp_()
            if smoothing:
                block -= smoothing / vocabulary
            target = targets[rows, None]
            block.scatter_add_(1, target, block.new_full(target.shape, smoothing - 1))
            block *= (target != PADDING) * gradients[0]
            result[rows] = block
        return result, None, None


def row_blocks(logits: Tensor) -> list[slice]:
    """Rows of ``[N, V]`` that are worked on together."""
    numbers = _BLOCK.get(logits.device.type, 1 << 24)
    height = max(1, numbers // logits.shape[1])
    return [slice(start, start + height) for start in range(0, logits.shape[0], height)]
