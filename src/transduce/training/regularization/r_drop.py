"""R-Drop: two passes with unlike dropout shall say the same."""

from __future__ import annotations

from torch import Tensor

from transduce.training.objectives.forward import Forward
from transduce.training.objectives.objective import Objective
from transduce.training.regularization.divergence import symmetric_divergence

__all__ = ["RDrop", "SecondPass"]


class RDrop:
    """``½ (KL(P₁ ‖ P₂) + KL(P₂ ‖ P₁))`` of two passes (Liang et al. 2021, eq. 2).

    With the mean of both passes' cross-entropy and half of α as its weight the whole is half of
    the paper's eq. 4, which is what its authors' program makes small for each target token.
    """

    name = "r_drop"

    def __call__(self, forward: Forward) -> Tensor:
        """A sum over target tokens, in nats."""
        targets = forward.batch.target_output
        return symmetric_divergence(forward.logits, forward.second.logits, targets) / 2


class SecondPass:
    """Another objective, of the same batch's second pass."""

    def __init__(self, objective: Objective) -> None:
        self.name = f"second_{objective.name}"
        self._objective = objective

    def __call__(self, forward: Forward) -> Tensor:
        """The sum of the other objective."""
        return self._objective(forward.second)
