"""Weights without the units that went."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from transduce.workflow.pruning.prunable_units import UnitGroup

__all__ = ["weights_without"]


def weights_without(
    weights: Mapping[str, Tensor],
    groups: Sequence[UnitGroup],
    stays: Sequence[Sequence[Tensor]],
) -> dict[str, Tensor]:
    """``stays`` are the units of each group that are left, by each of its ``units``."""
    left = {name: [torch.ones(n, dtype=torch.bool) for n in w.shape] for name, w in weights.items()}
    for group, kept in zip(groups, stays, strict=True):
        for units, own in zip(group.units, kept, strict=True):
            gone = torch.ones(units.count, dtype=torch.bool)
            gone[own] = False
            for place in units.places:
                entries = place.owned[gone[place.units]].flatten()
                left[place.name][place.dim][entries] = False
    found = {}
    for name, weight in weights.items():
        for dim, mask in enumerate(left[name]):
            if not mask.all():
                weight = weight.index_select(dim, mask.nonzero()[:, 0].to(weight.device))
        found[name] = weight
    for group, kept in zip(groups, stays, strict=True):
        for units, own in zip(group.units, kept, strict=True):
            if units.scaled is not None:
                found[units.scaled] = found[units.scaled] * math.sqrt(len(own) / units.count)
    return found
