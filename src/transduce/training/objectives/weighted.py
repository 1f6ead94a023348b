"""A weighted list of objectives, as the one module that learning runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from transduce.interfaces import Batch
from transduce.training.objectives.forward import Forward
from transduce.training.objectives.objective import Objective

__all__ = ["Weighted", "WeightedSum"]


@dataclass(frozen=True, slots=True)
class Weighted:
    """An objective and what it counts."""

    weight: float
    objective: Objective


class WeightedSum(nn.Module):
    """All objectives of a run as one module, so that several processes exchange its gradients.

    Whatever an objective does with the model happens inside this module's one forward pass.
    """

    def __init__(
        self,
        model: nn.Module,
        objectives: Sequence[Weighted],
        precision: Callable[[], AbstractContextManager[Any]],
    ) -> None:
        super().__init__()
        self.model = model
        self._objectives = tuple(objectives)
        self._precision = precision

    def forward(self, batch: Batch, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """The weighted sum, with a gradient, and all figures without one.

        These are float64 ``[2 + objectives]``: the weighted sum, the plain negative
        log-likelihood, and each objective's own sum.
        """
        kind = batch.target.device.type
        with self._precision():  # what is cast once is kept for all objectives
            forward = Forward(self.model, batch, inputs, self._precision)  # type: ignore[arg-type]
            sums = []
            for weighted in self._objectives:
                with torch.autocast(kind, enabled=False):
                    sums.append(weighted.objective(forward))
            with torch.autocast(kind, enabled=False):
                likelihood = forward.likelihood()
        shares = [each.weight * own for each, own in zip(self._objectives, sums, strict=True)]
        total = shares[0]
        for share in shares[1:]:
            total = total + share
        figures = torch.stack([f.detach().double() for f in (total, likelihood, *sums)])
        return total, figures
