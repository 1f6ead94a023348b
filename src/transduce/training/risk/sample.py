"""Outputs drawn from a model, with what the model and a metric say of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from transduce.interfaces import PADDING
from transduce.training.objectives.forward import Forward
from transduce.training.risk.scored_outputs import distinct_outputs, score_outputs

__all__ = ["Cost", "Draw", "Sample", "draw_sample"]

_LONGER = 5  # tokens that a sample may have more than half as many again as the longest target


class Cost(Protocol):
    """What an output costs against its reference."""

    def __call__(self, outputs: Tensor, references: Tensor) -> Tensor:
        """Of int64 rows ``[N, T]`` and ``[N, T']`` (``y1 … yn END PADDING …``): float ``[N]``, 0
        for the best.
        """
        ...


class Draw(Protocol):
    """What draws outputs of a model."""

    def __call__(self, forward: Forward, samples: int, most: int) -> Tensor:
        """As :func:`~transduce.training.risk.drawn_outputs.draw_outputs`."""
        ...


@dataclass(frozen=True, slots=True)
class Sample:
    """K outputs for each of B sentences: int64 ``[B, K, T]``; their log-probabilities ``[B, K]``,
    with a gradient; and what they cost, ``[B, K]``, without one: 0 for a sentence without a target.
    """

    outputs: Tensor
    scores: Tensor
    costs: Tensor


def draw_sample(forward: Forward, count: int, cost: Cost, *, reference: bool, draw: Draw) -> Sample:
    """So many outputs drawn from the model; where ``reference`` is true, it stands before them."""
    gold = forward.batch.target_output
    # Made first: what a pass without gradients encodes, or casts under autocast, would be kept
    # without them.
    _ = forward.logits
    most = gold.shape[1] + gold.shape[1] // 2 + _LONGER
    drawn = draw(forward, count, most).view(len(gold), count, -1)
    outputs = _beside(gold, drawn) if reference else drawn  # [B, K, T]
    distinct = distinct_outputs(outputs)
    scores = score_outputs(forward, distinct)[distinct.places]  # [U] → [B, K]
    costs = cost(distinct.rows, gold[distinct.sentences])[distinct.places]
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
