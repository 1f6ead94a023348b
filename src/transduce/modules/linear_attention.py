"""Attention whose cost grows with the length alone (Katharopoulos et al. 2020)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from transduce.modules.dropout import Dropout

__all__ = ["LinearAttention"]

_LEAST = 1e-30  # of a sum of weights: nothing is divided by zero


@dataclass(frozen=True, slots=True)
class LinearAttention:
    """``φ(q_i)ᵀ Σ_j φ(k_j) v_jᵀ / φ(q_i)ᵀ Σ_j φ(k_j)`` with ``φ(x) = elu(x) + 1``.

    Katharopoulos et al. 2020, "Transformers are RNNs", equations 5 and 7, over all positions j
    that ``mask`` ``[B, S]`` has as real. The sums are d numbers, d times, for each pair of keys and
    values, whatever the length. ``whole``: the same by way of the weights of all positions.
    """

    mask: Tensor
    whole: bool = False

    def __call__(self, queries: Tensor, keys: Tensor, values: Tensor, drop: Dropout) -> Tensor:
        """``[B, H, S, d]`` over ``[B, G, S, d]`` to ``[B, H, S, d]``; sums are of float32 at least.

        ``drop`` is that of weights, where there are some: it must drop nothing.
        """
        B, H, S, d = queries.shape
        G, dtype = keys.shape[1], values.dtype
        with torch.autocast(queries.device.type, enabled=False):
            queries = _feature(queries).reshape(B, G, H // G * S, d)  # [B, H, S, d] → [B, G, …, d]
            keys = _feature(keys).masked_fill(~self.mask[:, None, :, None], 0.0)
            values = values.to(keys.dtype)
            totals = torch.matmul(queries, keys.sum(2)[..., None]).clamp(min=_LEAST)
            if self.whole:
                # [B, G, H/G·S, d] · [B, G, d, S] → [B, G, H/G·S, S]
                weights = torch.matmul(queries, keys.transpose(2, 3)) / totals
                # [B, G, H/G·S, S] → [B, H, S, S] and back
                weights = drop(weights.view(B, H, S, S)).view(B, G, -1, S)
                vectors = torch.matmul(weights, values)
            else:
                sums = torch.matmul(keys.transpose(2, 3), values)  # [B, G, d, d]
                vectors = torch.matmul(queries, sums) / totals
        return vectors.view(B, H, S, d).to(dtype)  # [B, G, H/G·S, d] → [B, H, S, d]


def _feature(vectors: Tensor) -> Tensor:
    """``elu(x) + 1``, which is above zero: of what is negative e^x, not rounded to e^x − 1."""
    exact = vectors.float() if vectors.dtype in (torch.float16, torch.bfloat16) else vectors
    return torch.where(exact > 0, exact + 1, exact.clamp(max=0).exp())
