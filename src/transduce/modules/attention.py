"""Scaled dot-product attention with several heads (Vaswani et al. 2017, section 3.2)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from transduce.modules.dropout import Dropout
from transduce.modules.functional import linear

__all__ = ["HIDDEN", "MultiHeadAttention", "causal_bias", "padding_bias", "scaled_dot_product"]

# Far below any score, yet finite in bfloat16: its exponential is exactly zero.
HIDDEN = -1e9


def padding_bias(mask: Tensor) -> Tensor:
    """Bool ``[B, S]``, true at real positions, to what is added to scores: ``[B, 1, 1, S]``."""
    return torch.zeros(mask.shape, device=mask.device).masked_fill_(~mask, HIDDEN)[:, None, None]


def causal_bias(queries: int, keys: int, device: torch.device) -> Tensor:
    """``[queries, keys]``: hides from each of the last ``queries`` positions what follows it."""
    hidden = torch.full((queries, keys), HIDDEN, device=device)
    return hidden.triu_(keys - queries + 1)


def scaled_dot_product(
    queries: Tensor, keys: Tensor, values: Tensor, bias: Tensor | None, drop: Dropout
) -> tuple[Tensor, Tensor]:
    """``softmax(Q Kᵀ / √d + bias) V`` (Vaswani et al. 2017, eq. 1).

    ``queries`` ``[B, H, T, d]``; ``keys`` and ``values`` ``[B, G, S, d]`` with G
    dividing H: heads ``g·H/G …`` share pair g (Ainslie et al. 2023), which is never
    repeated. ``bias`` broadcasts to ``[B, H, T, S]``. Gives vectors ``[B, H, T, d]``
    and the weights ``[B, H, T, S]`` before ``drop``.

    Written out: torch's fused kernel takes longer to train with at the lengths
    of sentences on a CPU (its backward in bfloat16 2.5 times as long).
    """
    B, H, T, d = queries.shape
    G, S = keys.shape[1], keys.shape[2]
    grouped = (queries / math.sqrt(d)).reshape(B, G, H // G * T, d)  # [B, G, H/G·T, d]
    # [B, G, H/G·T, d] · [B, G, d, S] → [B, G, H/G·T, S] = [B, H, T, S]
    scores = torch.matmul(grouped, keys.transpose(2, 3)).view(B, H, T, S)
    if bias is not None:
        scores = scores + bias.to(scores.dtype)
    weights = torch.softmax(scores, dim=-1)
    vectors = torch.matmul(drop(weights).view(B, G, H // G * T, S), values)  # [B, G, H/G·T, d]
    return vectors.view(B, H, T, d), weights  # [B, H, T, d]


class MultiHeadAttention(nn.Module):
    """``Concat(head_1 … head_H) W_O``, ``head_i = Attention(Q W_Qi, K W_Ki, V W_Vi)``.

    Vaswani et al. 2017, section 3.2.2, in three steps, because decoding token by token
    does them at different times: :meth:`project_queries`, :meth:`project_memory`
    (once for each memory) and :meth:`attend`. Calling the module does all three.

    ``width`` is that of queries and output, ``memory_width`` (default the same)
    that of what is attended to; ``key_value_heads`` (default ``heads``) must
    divide ``heads``; ``head_width`` is d (default ``width / heads``); ``bias`` is that of
    all maps but the keys'; ``dropout`` falls on the weights; ``output_gain`` scales the first
    values of W_O.
    """

    def __init__(
        self,
        width: int,
        *,
        heads: int,
        key_value_heads: int | None = None,
        head_width: int | None = None,
        memory_width: int | None = None,
        bias: bool = True,
        dropout: float = 0.0,
        output_gain: float = 1.0,
    ) -> None:
        super().__init__()
        groups = key_value_heads or heads
        if (head_width is None and width % heads) or heads % groups:
            raise ValueError(
                "width must be a multiple of heads and heads of key_value_heads; "
                f"got {width}, {heads}, {groups}"
            )
        self.heads = heads
        self.key_value_heads = groups
        self.head_width = head_width or width // heads
        memory_width = memory_width or width
        self.query = linear(width, heads * self.head_width, bias=bias)
        # A bias here would add the same to all scores of a query, and softmax would take it out.
        self.key = linear(memory_width, groups * self.head_width, bias=False)
        self.value = linear(memory_width, groups * self.head_width, bias=bias)
        self.output = linear(heads * self.head_width, width, bias=bias, gain=output_gain)
        self.dropout = Dropout(dropout)

    def project_queries(self, vectors: Tensor) -> Tensor:
        """``[N, T, D]`` to ``[N, H, T, d]``."""
        return self._split(self.query(vectors))

    def project_memory(self, vectors: Tensor) -> tuple[Tensor, Tensor]:
        """``[B, S, M]`` to keys and values ``[B, G, S, d]``."""
        return self._split(self.key(vectors)), self._split(self.value(vectors))

    def attend(
        self, queries: Tensor, keys: Tensor, values: Tensor, bias: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Queries ``[N, H, T, d]`` over memories of B sentences to ``[N, T, D]``.

        N is B·K: the K rows of a sentence are read as K·T queries over one memory.
        Where K > 1, ``bias`` must be ``[B, 1, 1, S]``. The weights are ``[B, H, K·T, S]``.
        """
        N, H, T, d = queries.shape
        B = keys.shape[0]
        K = N // B
        if K > 1:
            # [B·K, H, T, d] → [B, K, H, T, d] → [B, H, K, T, d] → [B, H, K·T, d]
            queries = queries.view(B, K, H, T, d).transpose(1, 2).reshape(B, H, K * T, d)
        vectors, weights = scaled_dot_product(queries, keys, values, bias, self.dropout)
        # [B, H, K·T, d] → [B, K·T, H, d] = [N, T, H·d]
        joined = vectors.transpose(1, 2).reshape(N, T, H * d)
        return self.output(joined), weights

    def forward(
        self, vectors: Tensor, memory: Tensor, bias: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """``[N, T, D]`` over ``[B, S, M]`` to ``[N, T, D]`` and weights ``[B, H, K·T, S]``."""
        return self.attend(self.project_queries(vectors), *self.project_memory(memory), bias)

    def _split(self, vectors: Tensor) -> Tensor:
        N, T, _ = vectors.shape
        # [N, T, H·d] → [N, T, H, d] → [N, H, T, d]
        return vectors.view(N, T, -1, self.head_width).transpose(1, 2)
