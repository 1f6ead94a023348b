"""Minimum-risk training: outputs that a metric finds bad shall be unlikely."""

from __future__ import annotations

import torch
from torch import Tensor

from transduce.training.objectives.forward import Forward
from transduce.training.risk.drawn_outputs import draw_outputs
from transduce.training.risk.sample import Cost, Draw, draw_sample

__all__ = ["MinimumRisk", "expected_cost"]


class MinimumRisk:
    """``Σ_y Q(y | x) Δ(y, y*)`` over a sample of outputs (Shen et al. 2016, eq. 13 and 14).

    The sample is K outputs drawn from the model and the reference y*, each counted once;
    ``Q ∝ P(y | x)^α``. The cost Δ hangs on no weight: any metric will do.
    """

    name = "risk"

    def __init__(
        self, cost: Cost, samples: int, sharpness: float, draw: Draw = draw_outputs
    ) -> None:
        """``samples`` are K, ``sharpness`` is α, above 0."""
        self._cost = cost
        self._samples = samples
        self._draw = draw
        self._sharpness = sharpness

    def __call__(self, forward: Forward) -> Tensor:
        """A sum over sentences, in units of the cost."""
        drawn = draw_sample(forward, self._samples, self._cost, reference=True, draw=self._draw)
        return expected_cost(drawn.scores, drawn.costs, _repeated(drawn.outputs), self._sharpness)


def expected_cost(scores: Tensor, costs: Tensor, repeated: Tensor, sharpness: float) -> Tensor:
    """``Σ_b Σ_k Q_bk Δ_bk`` of log-probabilities and costs ``[B, K]``.

    ``Q_b ∝ exp(α · scores_b)`` over what is not ``repeated`` (bool ``[B, K]``).
    """
    shares = torch.softmax((sharpness * scores).masked_fill(repeated, -torch.inf), -1)
    return (shares * costs).sum()


def _repeated(outputs: Tensor) -> Tensor:
    """Where an output ``[B, K, T]`` is one before it, bool ``[B, K]``."""
    same = (outputs[:, :, None] == outputs[:, None]).all(-1)  # [B, K, K]
    return same.tril(-1).any(-1)
