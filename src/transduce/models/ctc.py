"""A second output, on the encoder: connectionist temporal classification (Graves et al. 2006)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from transduce.interfaces import PADDING, Memory
from transduce.modules.functional import linear

__all__ = ["BLANK", "CTCOutput", "ctc_log_probs"]

BLANK = PADDING  # which no output holds


class CTCOutput(nn.Module):
    """At each position one of the target's symbols, or the blank.

    A text's probability is the sum over all ways to write its symbols along the positions, each
    once or several times running, blanks between them. Each of a memory's S vectors gives K
    positions, side by side (Libovický & Helcl 2018, section 3): with one alone, no output can be
    longer than its source, and a symbol twice running takes three.
    """

    def __init__(self, width: int, size: int, positions: int = 1) -> None:
        """``positions`` is K. The map's rows are those of symbol 0, then of symbol 1, …, K each."""
        super().__init__()
        self.positions = positions
        self.project = linear(width, size * positions, bias=True)

    def forward(self, memory: Memory) -> Tensor:
        """Log-probabilities, float32 ``[B, S·K, V]``; at padding the blank is certain."""
        vectors = memory.vectors.to(self.project.weight.dtype)
        return ctc_log_probs(self.project(vectors).float(), memory.mask, self.positions)


def ctc_log_probs(scores: Tensor, mask: Tensor, positions: int) -> Tensor:
    """``[B, S, V·K]`` to ``[B, S·K, V]``, the blank certain where ``mask`` ``[B, S]`` is false."""
    apart = (*scores.shape[:2], scores.shape[2] // positions, positions)
    scores = scores.reshape(apart).transpose(2, 3)  # [B, S, V·K] → [B, S, K, V]
    scores = scores.flatten(1, 2)  # [B, S, K, V] → [B, S·K, V]
    log_probs = torch.log_softmax(scores, dim=-1)
    certain = torch.full_like(log_probs[:1, :1], -1e10)
    certain[..., BLANK] = 0
    real = mask.repeat_interleave(positions, dim=1)
    return torch.where(real[:, :, None], log_probs, certain)
