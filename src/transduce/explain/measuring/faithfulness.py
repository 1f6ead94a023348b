"""Whether weights tell the truth: what happens where the weightiest units are taken away."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from transduce.explain.asking.subject import Subject

__all__ = ["FRACTIONS", "WAYS", "Faithfulness", "measure_weights"]

FRACTIONS = (0.01, 0.05, 0.1, 0.2, 0.5)  # of the source's units
WAYS = ("mask", "resample")


@dataclass(frozen=True)
class Faithfulness:
    """Of one source and output, for each way to take away and each of :data:`FRACTIONS`.

    ``comprehensiveness[way]`` ``[5]``: ``p(y_t | x) - p(y_t | x without the weightiest)``, the
    mean over the tokens; the larger the better. ``sufficiency[way]`` ``[5]``: ``p(y_t | x) -
    p(y_t | the weightiest alone)``; the smaller the better. DeYoung et al. 2020, "ERASER: a
    benchmark to evaluate rationalized NLP models", section 4.2.
    """

    comprehensiveness: dict[str, Tensor]
    sufficiency: dict[str, Tensor]

    def numbers(self) -> dict[str, float]:
        """The means over the fractions (there: the area over the perturbation curve).

        ``faithfulness`` is comprehensiveness less sufficiency, the mean of both ways.
        """
        found = {}
        for way in WAYS:
            found[f"comprehensiveness, {way}"] = float(self.comprehensiveness[way].mean())
            found[f"sufficiency, {way}"] = float(self.sufficiency[way].mean())
        gains = (self.comprehensiveness[way] - self.sufficiency[way] for way in WAYS)
        found["faithfulness"] = float(torch.stack(list(gains)).mean())
        return found


def measure_weights(
    subject: Subject, weights: Tensor, *, fixed: int = 0, seed: int = 1
) -> Faithfulness:
    """What weights ``[Q, U]`` of a question of tokens are worth.

    Each token has its own order of units. The last ``fixed`` units (a text's end) are never taken
    away. At least one unit is. ``mask`` puts the subject's blank in their place, ``resample``
    random symbols or other frames of the source.
    """
    units = subject.units.count - fixed
    order = weights[:, :units].argsort(dim=1, descending=True, stable=True)
    ranks = order.argsort(dim=1)  # [Q, U]
    counts = [max(1, round(fraction * units)) for fraction in FRACTIONS]
    taken = torch.stack([ranks < count for count in counts], dim=1)  # [Q, 5, U]
    kept = torch.cat([~taken, taken], dim=1)  # [Q, 10, U]: without them, and they alone
    ends = kept.new_ones(*kept.shape[:2], fixed)
    rows = torch.cat([kept, ends], dim=2).flatten(0, 1)  # [Q · 10, U]
    whole = subject.scores()[0].exp().cpu()
    chance = torch.Generator().manual_seed(seed)
    others = {"mask": subject.blank, "resample": subject.drawn(1, chance)}
    lost = {}
    for way in WAYS:
        found = torch.cat(list(_numbers(subject, rows, others[way], len(ranks))))
        lost[way] = (whole[:, None] - found.view(len(ranks), -1).exp()).mean(0)
    half = len(FRACTIONS)
    return Faithfulness(
        {way: lost[way][:half] for way in WAYS}, {way: lost[way][half:] for way in WAYS}
    )


def _numbers(subject: Subject, rows: Tensor, other: Tensor, count: int) -> Iterator[Tensor]:
    """Each row's own number: row ``n`` of bool ``[Q · 10, U]`` is of number ``n // 10``."""
    values = subject.source.values
    own = torch.arange(count).repeat_interleave(len(rows) // count)
    for part in subject.blocks(len(rows)):
        there = subject.units.spread(rows[part]).to(values.device)
        yield subject.scores_of(own[part], torch.where(there, values, other)).cpu()
