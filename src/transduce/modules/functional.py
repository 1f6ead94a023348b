"""Norms, activations and the first values of weights that the other modules share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn

__all__ = ["Activation", "Norm", "NormKind", "RMSNorm", "activation", "linear", "make_norm"]

NormKind = Literal["layer", "rms"]
Activation = Literal["relu", "gelu", "swiglu"]
Norm = nn.Module

_EPSILON = 1e-6


class RMSNorm(nn.Module):
    """``x / sqrt(mean(x²) + ε) · g`` over the last dimension (Zhang & Sennrich 2019, eq. 4)."""

    epsilon = _EPSILON

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, vectors: Tensor) -> Tensor:
        """``[..., D]`` to ``[..., D]``; the mean of squares is taken in float32 at least."""
        exact = vectors.float() if vectors.dtype in (torch.float16, torch.bfloat16) else vectors
        scale = torch.rsqrt(exact.square().mean(-1, keepdim=True) + self.epsilon)
        return (exact * scale).to(vectors.dtype) * self.weight


def make_norm(kind: NormKind, width: int, *, bias: bool) -> Norm:
    """A norm over the last dimension: LayerNorm (Ba et al. 2016) or RMSNorm, which has no bias."""
    if kind == "layer":
        return nn.LayerNorm(width, eps=_EPSILON, bias=bias)
    return RMSNorm(width)


def activation(kind: Activation) -> Callable[[Tensor], Tensor]:
    """The function of a feed-forward layer; ``swiglu`` is SiLU, applied to its gate."""
    match kind:
        case "relu":
            return nn.functional.relu
        case "gelu":
            return nn.functional.gelu
        case "swiglu":
            return nn.functional.silu


def linear(inputs: int, outputs: int, *, bias: bool, gain: float = 1.0) -> nn.Linear:
    """An affine map with Xavier-uniform weights (Glorot & Bengio 2010) times ``gain``, bias 0."""
    layer = nn.Linear(inputs, outputs, bias=bias)
    nn.init.xavier_uniform_(layer.weight, gain)
    if bias:
        nn.init.zeros_(layer.bias)
    return layer
