"""A branch of a beam tree as a person reads it."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp

__all__ = ["TreeBranch", "kind_of", "note_of"]


@dataclass(frozen=True, slots=True)
class TreeBranch:
    """A continuation by one token; see :class:`transduce.search.Branch`.

    ``name`` is the token as a person reads it, ``end`` the end of an output.
    """

    parent: int
    step: int
    lane: int
    name: str
    token: int
    log_probability: float
    total: float
    fate: str
    rank: int | None
    score: float | None


def kind_of(branch: TreeBranch) -> str:
    """What colour a branch has."""
    if branch.rank is not None:
        return "output"
    return "kept" if branch.fate in ("kept", "finished", "cut") else "dropped"


def note_of(branch: TreeBranch) -> str:
    """Its probability; of an output its place too."""
    probability = exp(branch.log_probability)
    share = f"{100 * probability:.0f}%" if probability >= 0.005 else "<1%"
    return share if branch.rank is None else f"{share} #{branch.rank + 1}"
