"""Saliency: how steep the number is at each unit."""

from __future__ import annotations

from dataclasses import dataclass

from transduce.explain.asking.subject import Subject
from transduce.explain.method import UnitWeights

__all__ = ["Saliency"]


@dataclass(frozen=True)
class Saliency:
    """``‖∂f / ∂x_u‖₂`` over the vector of each symbol, or the numbers of each cell.

    Simonyan, Vedaldi & Zisserman 2014, "Deep inside convolutional networks" (section 3); the norm
    over an embedding as Li et al. 2016, "Visualizing and understanding neural models in NLP".
    Never negative: it tells how much, not which way.
    """

    name = "saliency"

    def weigh(self, subject: Subject) -> UnitWeights:
        """One forward and one backward pass for each number."""
        _, _, by_source, by_prefix = subject.own_gradients()
        return UnitWeights(
            subject.units.norms(by_source).double(), by_prefix.norm(dim=-1).double(), signed=False
        )
