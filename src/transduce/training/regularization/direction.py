"""Changes of what a model reads: where its loss rises most, as large as is asked for."""

from __future__ import annotations

import torch
from torch import Tensor

from transduce.training.objectives.forward import Forward
from transduce.training.objectives.token_loss import token_loss

__all__ = ["Pair", "of_size", "steepest_rise"]

Pair = tuple[Tensor, Tensor]  # of the source's vectors [B, S, E] and the target's [B, T, E]

_LEAST = 1e-20  # of a norm: a sentence without a target has no gradient


def of_size(direction: Pair, size: float) -> Pair:
    """A direction ``[B, S, E]`` and ``[B, T, E]``, as long as ``size`` in each of B sentence pairs.

    Where it is zero it stays zero.
    """
    precise = [part.to(torch.promote_types(part.dtype, torch.float32)) for part in direction]
    squares = sum(part.square().sum((1, 2)) for part in precise)
    scale = size / torch.as_tensor(squares).sqrt().clamp_min(_LEAST)  # [B]
    source, target = (
        (part * scale[:, None, None]).to(own.dtype)
        for part, own in zip(precise, direction, strict=True)
    )
    return source, target


def steepest_rise(forward: Forward, smoothing: float) -> Pair:
    """The gradient of the loss of a pass by what encoder and decoder read; zero by what they do not
    look at.
    """
    source, target = forward.source_vectors, forward.target_vectors
    if source.requires_grad and target.requires_grad:
        followed, logits = (source, target), forward.logits
    else:  # frozen: the pass that is there knows no gradient of them
        followed = (source.detach().requires_grad_(), target.detach().requires_grad_())
        logits = forward.reading(*followed)
    loss, _ = token_loss(logits, forward.batch.target_output, smoothing)
    by_source, by_target = torch.autograd.grad(
        loss, followed, retain_graph=True, allow_unused=True, materialize_grads=True
    )
    return by_source, by_target
