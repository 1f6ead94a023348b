"""Reinforcement: outputs better than the others of their sentence shall be likelier."""

from __future__ import annotations

from torch import Tensor

from transduce.training.objectives.forward import Forward
from transduce.training.risk.drawn_outputs import draw_outputs
from transduce.training.risk.sample import Cost, Draw, draw_sample

__all__ = ["Reinforcement", "reinforced_cost"]


class Reinforcement:
    """``E_{y ~ P(y | x)} Δ(y, y*)`` by a sample of K outputs (Williams 1992; for sequences Ranzato
    et al. 2016), each against the mean of the others (Kool et al. 2019).

    Unlike :class:`MinimumRisk <transduce.training.risk.minimum_risk.MinimumRisk>` it never sees the
    reference but by its cost, and its gradient is that of the true expectation, in the mean.
    """

    name = "reinforcement"

    def __init__(self, cost: Cost, samples: int, draw: Draw = draw_outputs) -> None:
        """``samples`` are K, 2 or more; ``draw`` draws them."""
        self._cost = cost
        self._samples = samples
        self._draw = draw

    def __call__(self, forward: Forward) -> Tensor:
        """A sum over sentences, in units of the cost."""
        drawn = draw_sample(forward, self._samples, self._cost, reference=False, draw=self._draw)
        return reinforced_cost(drawn.scores, drawn.costs)


def reinforced_cost(scores: Tensor, costs: Tensor) -> Tensor:
    """``Σ_b (1 / K) Σ_k Δ_bk`` of costs ``[B, K]``, with the gradient of
    ``Σ_b (1 / K) Σ_k (Δ_bk - mean_{j ≠ k} Δ_bj) scores_bk`` by the log-probabilities ``[B, K]``.
    """
    count = costs.shape[1]
    others = (costs.sum(1, keepdim=True) - costs) / (count - 1)
    followed = ((costs - others) * scores).sum() / count
    return costs.sum() / count + followed - followed.detach()
