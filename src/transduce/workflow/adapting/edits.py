"""What a person changes in a model's outputs: tokens replaced, left out, put in."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

__all__ = ["Edit", "Rewritten", "Tokens", "alignment", "corrected", "person_edits"]

Tokens = Sequence[int]
Edit = tuple[int | None, int | None]  # a token and what stands in its place; None: nothing

_CHANCE = 1e-3  # that a model's mistakes would be as many
_LEAST = 2  # times
_PRIOR = 0.5, 20.0  # mistakes of each kind, and tokens, that are taken as seen before any


def alignment(before: Tokens, after: Tokens) -> list[Edit]:
    """Pairs of tokens from a shortest way of making ``after`` of ``before`` (Levenshtein 1966),
    in order; equal ones are kept.
    """
    costs = np.zeros((len(before) + 1, len(after) + 1), np.int64)
    costs[:, 0], costs[0] = range(len(before) + 1), range(len(after) + 1)
    for i, old in enumerate(before, 1):
        for j, new in enumerate(after, 1):
            costs[i, j] = min(
                costs[i - 1, j - 1] + (old != new), costs[i - 1, j] + 1, costs[i, j - 1] + 1
            )
    found: list[Edit] = []
    i, j = len(before), len(after)
    while i or j:
        if i and j and costs[i, j] == costs[i - 1, j - 1] + (before[i - 1] != after[j - 1]):
            i, j = i - 1, j - 1
            found.append((before[i], after[j]))
        elif i and costs[i, j] == costs[i - 1, j] + 1:
            i -= 1
            found.append((before[i], None))
        else:
            j -= 1
            found.append((None, after[j]))
    return found[::-1]


@dataclass(frozen=True)
class _Counts:
    """How often each edit was made, and could have been made."""

    edits: Counter[Edit]
    before: Counter[int]
    after: Counter[int]

    @classmethod
    def of(cls, pairs: Iterable[tuple[Tokens, Tokens]]) -> _Counts:
        counts = cls(Counter(), Counter(), Counter())
        for before, after in pairs:
            counts.before.update(before)
            counts.after.update(after)
            counts.edits.update((old, new) for old, new in alignment(before, after) if old != new)
        return counts

    def chances(self, edit: Edit) -> int:
        """Tokens that it could have been made of, or into where it puts one in."""
        old, new = edit
        if old is not None:
            return self.before[old]
        return self.after[new] if new is not None else 0


def person_edits(
    corrections: Sequence[tuple[Tokens, Tokens]], ordinary: Sequence[tuple[Tokens, Tokens]]
) -> dict[Edit, int]:
    """The edits that are the person's own, and how often the corrections have each.

    Both are pairs of a model's output and what is right; ``ordinary`` ones were made without the
    person. An edit is the person's where, made as often as in pairs with as many right outputs
    among the ``ordinary`` ones, it would be as frequent in ``corrections`` with a probability below
    0.001 (a binomial distribution): who corrects only what is wrong has more of all mistakes.
    """
    own = _Counts.of(corrections)
    wrong = _Counts.of([pair for pair in ordinary if pair[0] != pair[1]])
    right = _Counts.of([pair for pair in ordinary if pair[0] == pair[1]])
    share = _rightness(corrections) / max(_rightness(ordinary), 1e-9)
    found = {}
    for edit, count in own.edits.items():
        chances = wrong.chances(edit) + min(1.0, share) * right.chances(edit)
        seen, of = wrong.edits[edit] + _PRIOR[0], chances + _PRIOR[1]
        if count >= _LEAST and _at_least(count, own.chances(edit), seen / of) < _CHANCE:
            found[edit] = count
    return found


def _rightness(pairs: Sequence[tuple[Tokens, Tokens]]) -> float:
    """How many outputs are right, for one that is wrong."""
    right = sum(output == wanted for output, wanted in pairs)
    return right / max(len(pairs) - right, 1)


def _at_least(count: int, of: int, probability: float) -> float:
    """The probability of ``count`` or more among ``of`` that have the ``probability`` each."""
    if probability >= 1:
        return 1.0
    yes, no = math.log(probability), math.log1p(-probability)
    ways = (math.lgamma(of + 1) - math.lgamma(k + 1) - math.lgamma(of - k + 1)
            for k in range(count, of + 1))  # fmt: skip
    return sum(math.exp(w + k * yes + (of - k) * no) for k, w in enumerate(ways, count))


@dataclass(frozen=True)
class Rewritten:
    """Tokens with some edits made.

    ``origins`` says of each which token it was, None: a new one; ``sure`` whether it is what the
    person would write, and has one more for END. ``replaced`` has the places of new ones that stand
    for another, and the place of that.
    """

    tokens: list[int]
    origins: list[int | None]
    sure: list[bool]
    replaced: dict[int, int] = field(default_factory=dict)


def corrected(output: Tokens, wanted: Tokens) -> Rewritten:
    """``wanted``, as edits of ``output``."""
    tokens: list[int] = []
    origins: list[int | None] = []
    place = 0
    for old, new in alignment(output, wanted):
        if new is not None:
            tokens.append(new)
            origins.append(place if old == new else None)
        place += old is not None
    return Rewritten(tokens, origins, [True] * (len(tokens) + 1))
