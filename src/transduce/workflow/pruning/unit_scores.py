"""How much a model loses without a unit, to first order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor

from transduce.interfaces import Batch
from transduce.models.seq2seq import Seq2Seq
from transduce.training.objectives.token_loss import token_loss
from transduce.workflow.pruning.prunable_units import (
    RankedUnits,
    UnitGroup,
    gradients_asked,
    weights_read,
)

__all__ = ["taylor_scores"]


def taylor_scores(
    model: Seq2Seq, groups: Sequence[UnitGroup], batches: Iterable[Batch]
) -> list[list[Tensor]]:
    """For each group and each of its ``units`` the scores, float64 ``[U]``.

    A unit u is multiplied by a factor ξ_u that is 1. Without the unit it is 0, so that the loss L
    of a batch changes by -∂L/∂ξ_u to first order. The score is the mean of its squares over
    batches: ``Σ_b (∂L_b/∂ξ_u)²`` (Molchanov et al. 2017, eq. 8; of heads Michel et al. 2019,
    eq. 2). As ξ_u multiplies the weights w that read the unit, ``∂L/∂ξ_u = Σ_w w · ∂L/∂w``. L is
    the negative log-likelihood of a target token.
    """
    weights = weights_read(model, groups)
    totals = [
        [torch.zeros(units.count, dtype=torch.float64) for units in group.units] for group in groups
    ]
    model.eval()
    count = 0
    with gradients_asked(weights):
        for batch in batches:
            found = _products(model, weights, batch.to(model.device))
            for own, group in zip(totals, groups, strict=True):
                for total, units in zip(own, group.units, strict=True):
                    total += _factors(units, found).square()
            count += 1
    return [[total / max(count, 1) for total in own] for own in totals]


def _products(model: Seq2Seq, weights: Mapping[str, Tensor], batch: Batch) -> dict[str, Tensor]:
    """``w · ∂L/∂w`` of each weight that the loss depends on, float64."""
    logits = model(batch.source, batch.target_input)
    loss, _ = token_loss(logits, batch.target_output)
    tokens = (batch.target_output != 0).sum()
    gradients = torch.autograd.grad(loss / tokens, [*weights.values()], allow_unused=True)
    return {
        name: (weight.detach() * gradient).double().cpu()
        for (name, weight), gradient in zip(weights.items(), gradients, strict=True)
        if gradient is not None
    }


def _factors(units: RankedUnits, found: dict[str, Tensor]) -> Tensor:
    """``∂L/∂ξ``, ``[U]``."""
    total = torch.zeros(units.count, dtype=torch.float64)
    for place in units.places:
        if place.reads and place.name in found:
            entries = found[place.name].movedim(place.dim, 0)
            of_entries = entries.reshape(len(entries), -1).sum(1)
            total[place.units] += of_entries[place.owned].sum(1)
    return total
