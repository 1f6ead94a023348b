"""Which units stay: those of the highest scores, some in each group."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from transduce.errors import ConfigError
from transduce.workflow.pruning.asked_shares import AskedShare
from transduce.workflow.pruning.prunable_units import UnitGroup

__all__ = ["best_units", "counts_kept", "require_some_left"]


def require_some_left(asked: AskedShare, groups: Sequence[UnitGroup]) -> None:
    """Raise ConfigError where more is asked for than can go: a step of each group stays."""
    total = sum(group.count for group in groups)
    least = sum(min(group.step, group.count) for group in groups)
    if least > total - asked.of(total):
        most = (total - least) * 100 // total / 100
        raise ConfigError(
            f"--prune {asked.option} must leave some {asked.part} in each of the {len(groups)} "
            f"blocks that have them: at most {most:g} may go"
        )


def counts_kept(
    left: int, groups: Sequence[UnitGroup], scores: Sequence[Sequence[Tensor]]
) -> list[int]:
    """How many units of each group stay, where at most ``left`` do of all groups together.

    RankedUnits of the highest scores stay, a step of each group at least.
    """
    kept = [min(group.step, group.count) for group in groups]
    gains = [_gains(group, own) for group, own in zip(groups, scores, strict=True)]
    while True:
        room = left - sum(kept)
        open_groups = [
            (gains[place][kept[place] // group.step], place)
            for place, group in enumerate(groups)
            if group.step <= room and kept[place] + group.step <= group.count
        ]
        if not open_groups:
            return kept
        _, best = max(open_groups, key=lambda found: (found[0], -found[1]))
        kept[best] += groups[best].step


def _gains(group: UnitGroup, scores: Sequence[Tensor]) -> list[float]:
    """What each further step of units adds, a unit, the best first."""
    gains = [0.0] * (group.count // group.step)
    for units, own in zip(group.units, scores, strict=True):
        each = len(own) // units.blocks
        ordered = own.view(units.blocks, each).sort(dim=1, descending=True).values
        step = each * group.step // group.count
        for place in range(len(gains)):
            taken = ordered[:, place * step : (place + 1) * step]
            gains[place] += float(taken.sum()) / group.step
    return gains


def best_units(group: UnitGroup, scores: Sequence[Tensor], kept: int) -> list[Tensor]:
    """Of each of the group's ``units`` those that stay, int64 in their order."""
    found = []
    for units, own in zip(group.units, scores, strict=True):
        each, blocks = len(own) // units.blocks, units.blocks
        count = each * kept // group.count
        order = own.view(blocks, each).argsort(dim=1, descending=True, stable=True)
        places = order[:, :count].sort(dim=1).values
        starts = each * (order.new_tensor(range(blocks)))
        found.append((places + starts[:, None]).flatten())
    return found
