"""A second output, on the encoder: connectionist temporal classification (Graves et al. 2006)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from transduce.interfaces import PADDING, Memory
from transduce.modules.functional import linear

__all__ = ["BLANK", "CTCOutput", "with_certain_blanks"]

BLANK = PADDING  # which no output holds


class CTCOutput(nn.Module):
    """At each position of a memory one of the target's symbols, or the blank.

    A text's probability is the sum over all ways to write its symbols along the positions, each
    once or several times running, blanks between them.
    """

    def __init__(self, width: int, size: int) -> None:
        super().__init__()
        self.project = linear(width, size, bias=True)

    def forward(self, memory: Memory) -> Tensor:
        """Log-probabilities, float32 ``[B, S, V]``; at padding the blank is certain."""
        vectors = memory.vectors.to(self.project.weight.dtype)
        scores = torch.log_softmax(self.project(vectors).float(), dim=-1)
        return with_certain_blanks(scores, memory.mask)


def with_certain_blanks(log_probs: Tensor, mask: Tensor) -> Tensor:
    """``[B, S, V]`` with the blank certain where ``mask`` ``[B, S]`` is false."""
    certain = torch.full_like(log_probs[:1, :1], -1e10)
    certain[..., BLANK] = 0
    return torch.where(mask[:, :, None], log_probs, certain)
