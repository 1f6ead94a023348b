"""A source or a prefix of which some units are there and others are taken away."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from transduce.explain.asking.subject import Subject
from transduce.interfaces import UNKNOWN

__all__ = ["Players", "all_coalitions", "of_prefix", "of_source"]


@dataclass(frozen=True)
class Players:
    """``players`` units, and the numbers ``[N, Q]`` where only those of ``[N, players]`` are there.

    Number q hangs on the first ``visible[q]`` players alone.
    """

    players: int
    numbers: Callable[[Tensor], Tensor]
    visible: Tensor
    alone: Callable[[Tensor, int], Tensor] | None = None  # number ``which`` ``[N]``, if cheaper

    def some_numbers(self, kept: Tensor, rows: Tensor) -> Tensor:
        """Those of the numbers that ``rows`` (bool ``[Q]``) says, ``[N, some]``."""
        which = rows.nonzero()[:, 0].tolist()
        if self.alone is None or len(which) > 1:
            return self.numbers(kept)[:, rows]
        return self.alone(kept, which[0])[:, None]


def of_source(subject: Subject) -> Players:
    """The source's units; what is taken away is the subject's blank, and the prefix stays."""
    values, blank = subject.source.values, subject.blank

    def numbers(kept: Tensor) -> Tensor:
        found = []
        for part in subject.blocks(len(kept)):
            there = subject.units.spread(kept[part])
            found.append(subject.scores(torch.where(there.to(values.device), values, blank)).cpu())
        return torch.cat(found)

    count = subject.units.count
    return Players(count, numbers, torch.full((subject.question.count,), count))


def of_prefix(subject: Subject) -> Players:
    """What the decoder read; UNKNOWN in the place of what is taken away, and the source stays."""

    def numbers(kept: Tensor) -> Tensor:
        there = kept.to(subject.prefix.device)
        return subject.scores(prefix=subject.prefix.where(there, UNKNOWN)).cpu()

    def alone(kept: Tensor, which: int) -> Tensor:
        there = kept.to(subject.prefix.device)
        rows = torch.full((len(kept),), which)
        return subject.scores_of(rows, prefix=subject.prefix.where(there, UNKNOWN)).cpu()

    return Players(subject.prefix.shape[1], numbers, subject.question.last_read + 1, alone)


def all_coalitions(players: int) -> Tensor:
    """Bool ``[2^P, P]``: none of the players first, all of them last."""
    numbers = torch.arange(1 << players)
    return (numbers[:, None] >> torch.arange(players)) & 1 == 1
