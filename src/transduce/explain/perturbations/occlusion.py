"""Occlusion: what the number loses where a unit is taken away."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from transduce.explain.asking.subject import Subject
from transduce.explain.method import UnitWeights
from transduce.explain.perturbations.coalitions import Players, of_prefix, of_source

__all__ = ["Occlusion"]


@dataclass(frozen=True)
class Occlusion:
    """``f(x) - f(x without u)`` for each symbol, word or cell u.

    Zeiler & Fergus 2014, "Visualizing and understanding convolutional networks", section 4.2; for
    words Li, Monroe & Jurafsky 2016, "Understanding neural networks through representation
    erasure". What is taken away becomes the unknown symbol, the recording's mean or paper.
    """

    name = "occlusion"

    def weigh(self, subject: Subject) -> UnitWeights:
        """A forward pass for each unit, for all numbers together."""
        source, before = (_losses(side) for side in (of_source(subject), of_prefix(subject)))
        later = torch.arange(before.shape[1]) > subject.question.last_read[:, None]
        return UnitWeights(source, before.masked_fill(later, 0.0), signed=True)


def _losses(side: Players) -> Tensor:
    """``[Q, P]``."""
    whole = torch.ones(1, side.players, dtype=torch.bool)
    found = side.numbers(torch.cat([whole, ~torch.eye(side.players, dtype=torch.bool)]))
    return (found[:1] - found[1:]).T.contiguous()
