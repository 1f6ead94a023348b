"""Minimum-risk training: outputs that a metric finds bad shall be unlikely."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from transduce.interfaces import BEGIN, PADDING
from transduce.training.objectives.forward import Forward
from transduce.training.risk.drawn_outputs import draw_outputs

__all__ = ["Cost", "MinimumRisk", "expected_cost"]

_LONGER = 5  # tokens that a sample may have more than half as many again as the longest target


class Cost(Protocol):
    """What an output costs against its reference."""

    def __call__(self, outputs: Tensor, references: Tensor) -> Tensor:
        """Of int64 rows ``[N, T]`` and ``[N, T']`` (``y1 … yn END PADDING …``): float ``[N]``, 0
        for the best.
        """
        ...


class MinimumRisk:
    """``Σ_y Q(y | x) Δ(y, y*)`` over a sample of outputs (Shen et al. 2016, eq. 13 and 14).

    The sample is K outputs drawn from the model and the reference y*, each counted once;
    ``Q ∝ P(y | x)^α``. The cost Δ hangs on no weight: any metric will do.
    """

    name = "risk"

    def __init__(self, cost: Cost, samples: int, sharpness: float) -> None:
        """``samples`` are K, ``sharpness`` is α, above 0."""
        self._cost = cost
        self._samples = samples
        self._sharpness = sharpness

    def __call__(self, forward: Forward) -> Tensor:
        """A sum over sentences, in units of the cost."""
        gold, count = forward.batch.target_output, self._samples + 1
        # Made first: what a pass without gradients encodes, or casts under autocast, would be kept
        # without them.
        _ = forward.logits
        most = gold.shape[1] + gold.shape[1] // 2 + _LONGER
        drawn = draw_outputs(forward, self._samples, most)
        outputs = _beside(gold, drawn.view(len(gold), self._samples, -1))  # [B, K + 1, T]
        rows = outputs.flatten(0, 1)  # [B·(K + 1), T]
        state = forward.state.expand(count)
        begin = torch.full_like(rows[:, :1], BEGIN)
        logits, _ = forward.going_on(torch.cat([begin, rows[:, :-1]], 1), state)
        precise = torch.promote_types(logits.dtype, torch.float32)
        log_probs = torch.log_softmax(logits, -1, dtype=precise).gather(-1, rows[..., None])[..., 0]
        scores = log_probs.masked_fill(rows == PADDING, 0).sum(1).view(-1, count)  # [B, K + 1]
        costs = self._cost(rows, gold.repeat_interleave(count, 0)).view(-1, count)
        real = (forward.batch.target_lengths > 0)[:, None]
        costs = (costs * real).to(scores)
        return expected_cost(scores, costs, _repeated(outputs), self._sharpness)


def expected_cost(scores: Tensor, costs: Tensor, repeated: Tensor, sharpness: float) -> Tensor:
    """``Σ_b Σ_k Q_bk Δ_bk`` of log-probabilities and costs ``[B, K]``.

    ``Q_b ∝ exp(α · scores_b)`` over what is not ``repeated`` (bool ``[B, K]``).
    """
    shares = torch.softmax((sharpness * scores).masked_fill(repeated, -torch.inf), -1)
    return (shares * costs).sum()


def _beside(gold: Tensor, drawn: Tensor) -> Tensor:
    """Int64 ``[B, T]`` before ``[B, K, T']``, both padded to the longer: ``[B, K + 1, T'']``."""
    width = max(gold.shape[1], drawn.shape[2])
    parts = [
        torch.nn.functional.pad(part, (0, width - part.shape[2]), value=PADDING)
        for part in (gold[:, None], drawn)
    ]
    return torch.cat(parts, 1)


def _repeated(outputs: Tensor) -> Tensor:
    """Where an output ``[B, K, T]`` is one before it, bool ``[B, K]``."""
    same = (outputs[:, :, None] == outputs[:, None]).all(-1)  # [B, K, K]
    return same.tril(-1).any(-1)
