"""Dropout that does not hold up training on a CPU."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from transduce.modules.chance import generator

__all__ = ["Dropout", "dropout"]

_LEVELS = 1 << 16


def dropout(vectors: Tensor, rate: float) -> Tensor:
    """Zero each number with probability ``rate``, divide the others by ``1 - rate``.

    Srivastava et al. 2014, in the inverted form. Any shape and floating dtype. On
    a CPU torch draws one Bernoulli number after another and spends more time on
    that than on the layer before it; here one random 64-bit number decides over four
    entries, 16 bits for each. So the rate is rounded to a multiple of 1/65,536, and the
    scale to the rounded rate, which leaves the expectation exact. Reproducible
    under ``torch.manual_seed``, or by the thread's own generator (:mod:`transduce.modules.chance`).
    """
    if rate == 0:
        return vectors
    if vectors.device.type != "cpu":
        return nn.functional.dropout(vectors, rate)
    # At least one level of 65,536 is kept, so that the scale stays finite.
    dropped = min(round(rate * _LEVELS), _LEVELS - 1)
    count = vectors.numel()
    bits = torch.empty((count + 3) // 4, dtype=torch.int64).random_(
        -(1 << 63), None, generator=generator()
    )
    # of 64 bits [⌈n/4⌉] → of 16 bits [n]
    kept = bits.view(torch.int16)[:count] >= dropped - _LEVELS // 2
    scale = _LEVELS / (_LEVELS - dropped)
    return vectors * (kept.view(vectors.shape).to(vectors.dtype) * scale)  # [n] → […]


class Dropout(nn.Module):
    """:func:`dropout` while training, nothing otherwise. ``rate`` in [0, 1)."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        if not 0 <= rate < 1:
            raise ValueError(f"rate must be in [0, 1); got {rate}")
        self.rate = rate

    def forward(self, vectors: Tensor) -> Tensor:
        """Same shape and dtype in and out."""
        return dropout(vectors, self.rate) if self.training else vectors

    def extra_repr(self) -> str:
        """What ``print(model)`` shows."""
        return f"rate={self.rate}"
