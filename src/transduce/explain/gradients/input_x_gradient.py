"""Input × gradient: what the number would lose if it were linear and the unit were zero."""

from __future__ import annotations

from dataclasses import dataclass

from transduce.explain.asking.subject import Subject
from transduce.explain.method import UnitWeights

__all__ = ["InputXGradient"]


@dataclass(frozen=True)
class InputXGradient:
    """``Σ_e x_{u,e} · ∂f / ∂x_{u,e}`` over the vector of each symbol, or the numbers of each cell.

    Shrikumar et al. 2016, "Not just a black box", section 2; for embeddings Denil et al. 2014,
    "Extraction of salient sentences from labelled documents".
    """

    name = "input-x-gradient"

    def weigh(self, subject: Subject) -> UnitWeights:
        """One forward and one backward pass for each number."""
        vectors, prefix, by_source, by_prefix = subject.own_gradients()
        return UnitWeights(
            subject.units.sums((by_source * vectors).double()),
            (by_prefix * prefix).sum(-1).double(),
            signed=True,
        )
