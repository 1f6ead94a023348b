"""Norms, activations and the first values of weights that the other modules share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn

__all__ = [
    "GATED",
    "Activation",
    "Norm",
    "NormKind",
    "RMSNorm",
    "activation",
    "gelu_tanh",
    "linear",
    "make_norm",
]

NormKind = Literal["layer", "rms"]
Activation = Literal["relu", "gelu", "gelu-tanh", "silu", "swiglu", "geglu"]
GATED: tuple[Activation, ...] = ("swiglu", "geglu")
Norm = nn.Module

_EPSILON = 1e-6


class RMSNorm(nn.Module):
    """``x / sqrt(mean(x²) + ε) · g`` over the last dimension (Zhang & Sennrich 2019, eq. 4)."""

    def __init__(self, width: int, epsilon: float = _EPSILON) -> None:
        super().__init__()
        self.epsilon = epsilon
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, vectors: Tensor) -> Tensor:
        """``[..., D]`` to ``[..., D]``; the mean of squares is taken in float32 at least."""
        exact = vectors.float() if vectors.dtype in (torch.float16, torch.bfloat16) else vectors
        scale = torch.rsqrt(exact.square().mean(-1, keepdim=True) + self.epsilon)
        return (exact * scale).to(vectors.dtype) * self.weight


def make_norm(kind: NormKind, width: int, *, bias: bool, epsilon: float = _EPSILON) -> Norm:
    """A norm over the last dimension: LayerNorm (Ba et al. 2016) or RMSNorm, which has no bias."""
    if kind == "layer":
        return nn.LayerNorm(width, eps=epsilon, bias=bias)
    return RMSNorm(width, epsilon)


def activation(kind: Activation) -> Callable[[Tensor], Tensor]:
    """The function of a feed-forward layer; of a gated one (:data:`GATED`) that of its gate."""
    match kind:
        case "relu":
            return nn.functional.relu
        case "gelu":
            return nn.functional.gelu
        case "gelu-tanh" | "geglu":
            return gelu_tanh
        case "silu" | "swiglu":
            return nn.functional.silu


def gelu_tanh(vectors: Tensor) -> Tensor:
    """``x / 2 · (1 + tanh(√(2/π) (x + 0.044715 x³)))`` (Hendrycks & Gimpel 2016, section 2)."""
    return nn.functional.gelu(vectors, approximate="tanh")


def linear(inputs: int, outputs: int, *, bias: bool, gain: float = 1.0) -> nn.Linear:
    """An affine map with Xavier-uniform weights (Glorot & Bengio 2010) times ``gain``, bias 0."""
    layer = nn.Linear(inputs, outputs, bias=bias)
    nn.init.xavier_uniform_(layer.weight, gain)
    if bias:
        nn.init.zeros_(layer.bias)
    return layer
