"""Outputs drawn from a model, with what the model and a metric say of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from transduce.interfaces import BEGIN, PADDING
from transduce.training.objectives.forward import Forward
from transduce.training.risk.drawn_outputs import draw_outputs

__all__ = ["Cost", "Sample", "draw_sample"]

_LONGER = 5  # tokens that a sample may have more than half as many again as the longest target


class Cost(Protocol):
    """What an output costs against its reference."""

    def __call__(self, outputs: Tensor, references: Tensor) -> Tensor:
        """Of int64 rows ``[N, T]`` and ``[N, T']`` (``y1 … yn END PADDING …``): float ``[N]``, 0
        for the best.
        """
        ...


@dataclass(frozen=True, slots=True)
class Sample:
    """K outputs for each of B sentences: int64 ``[B, K, T]``; their log-probabilities ``[B, K]``,
    with a gradient; and what they cost, ``[B, K]``, without one: 0 for a sentence without a target.
    """

    outputs: Tensor
    scores: Tensor
    costs: Tensor


def draw_sample(forward: Forward, count: int, cost: Cost, *, reference: bool) -> Sample:
    """So many outputs drawn from the model; where ``reference`` is true, it stands before them."""
    gold = forward.batch.target_output
    # Made first: what a pass without gradients encodes, or casts under autocast, would be kept
    # without them.
    _ = forward.logits
    most = gold.shape[1] + gold.shape[1] // 2 + _LONGER
    drawn = draw_outputs(forward, count, most).view(len(gold), count, -1)
    outputs = _beside(gold, drawn) if reference else drawn  # [B, K, T]
    total = outputs.shape[1]
    rows = outputs.flatten(0, 1)  # [B·K, T]
    begin = torch.full_like(rows[:, :1], BEGIN)
    state = forward.state.expand(total)
    logits, _ = forward.going_on(torch.cat([begin, rows[:, :-1]], 1), state)
    precise = torch.promote_types(logits.dtype, torch.float32)
    log_probs = torch.log_softmax(logits, -1, dtype=precise).gather(-1, rows[..., None])[..., 0]
    scores = log_probs.masked_fill(rows == PADDING, 0).sum(1).view(-1, total)  # [B, K]
    costs = cost(rows, gold.repeat_interleave(total, 0)).view(-1, total)
    real = (forward.batch.target_lengths > 0)[:, None]
    return Sample(outputs, scores, (costs * real).to(scores))


def _beside(gold: Tensor, drawn: Tensor) -> Tensor:
    """Int64 ``[B, T]`` before ``[B, K, T']``, both padded to the longer: ``[B, K + 1, T'']``."""
    width = max(gold.shape[1], drawn.shape[2])
    parts = [
        torch.nn.functional.pad(part, (0, width - part.shape[2]), value=PADDING)
        for part in (gold[:, None], drawn)
    ]
    return torch.cat(parts, 1)
