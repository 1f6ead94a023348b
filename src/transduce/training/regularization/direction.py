"""Changes of what a model reads, as large as is asked for."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["Pair", "of_size"]

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
