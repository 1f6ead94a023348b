"""Where a person makes an edit: learnt from the tokens beside the places of a few corrections.

Fifty corrections are too few to train a model on, but enough to see that ER is always written AH,
or that a last IY is written IH. So for each edit of the person a logistic regression says how
likely it is made at a place, from the token before and the token after, and from tokens that are
like these (:mod:`~transduce.workflow.adapting.likeness`). The pairs that a model was
trained on are then written in the person's way (transformation-based learning, Brill 1995, with a
probability for each rule), and teach what the corrections alone cannot.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from transduce.interfaces import BEGIN, END
from transduce.workflow.adapting.edits import Edit, Rewritten, Tokens, alignment
from transduce.workflow.adapting.likeness import Likeness

__all__ = ["Habits"]

_OWN, _ALIKE = 0.4, 0.025  # twice the weights of the squares of a regression's numbers
_SURE = 0.85  # probability from which an edit is made
_UNLIKELY = 0.75  # and below which the token stays
_ITERATIONS = 100  # of L-BFGS


@dataclass(frozen=True)
class _Regression:
    """``p = σ(bias + before[token before] + after[token after])``; 0 for a token not known."""

    bias: float
    before: Mapping[int, float]
    after: Mapping[int, float]

    def probability(self, before: int, after: int) -> float:
        score = self.bias + self.before.get(before, 0.0) + self.after.get(after, 0.0)
        return 1 / (1 + math.exp(-score)) if score > 0 else 1 - 1 / (1 + math.exp(score))


class Habits:
    """How likely a person makes each of some ``edits`` at a place of a target."""

    def __init__(
        self,
        corrections: Sequence[tuple[Tokens, Tokens]],
        edits: Iterable[Edit],
        likeness: Likeness,
    ) -> None:
        """``corrections`` are pairs of a model's output and what the person wants."""
        places = {edit: _Chances() for edit in edits}
        for output, wanted in corrections:
            beside, aligned = [*_beside(output)], alignment(output, wanted)
            for edit, place in places.items():
                place.add(beside, aligned, edit)
        self._replaced: dict[int, dict[int | None, _Regression]] = {}
        self._inserted: dict[int | None, _Regression] = {}
        for (old, new), place in places.items():
            if old is not None:
                self._replaced.setdefault(old, {})[new] = place.regression(likeness)
            elif new is not None:
                self._inserted[new] = place.regression(likeness)

    def changes(self, token: int) -> bool:
        """Whether the person replaces a token, or leaves it out, somewhere."""
        return token in self._replaced

    def rewritten(self, target: Tokens) -> Rewritten:
        """A target with those edits made that are likely."""
        tokens: list[int] = []
        origins: list[int | None] = []
        sure: list[bool] = []
        replaced: dict[int, int] = {}
        doubt = False  # whether something may be missing before the next token
        for place, (before, token, after) in enumerate(_beside(target)):
            new, probability = _likeliest(self._inserted, before, token)
            if new is not None and probability >= _SURE:
                tokens.append(new)
                origins.append(None)
                sure.append(not doubt)
                doubt = False
            doubt = doubt or _UNLIKELY < probability < _SURE
            if place == len(target):
                break
            new, probability = _likeliest(self._replaced.get(token, {}), before, after)
            if probability >= _SURE and new is None:
                continue
            made = probability >= _SURE and new is not None
            if made:
                replaced[len(tokens)] = place
            tokens.append(new if made and new is not None else token)
            origins.append(None if made else place)
            sure.append(not doubt and (made or probability <= _UNLIKELY))
            doubt = False
        return Rewritten(tokens, origins, [*sure, not doubt], replaced)


def _likeliest(
    edits: Mapping[int | None, _Regression], before: int, after: int
) -> tuple[int | None, float]:
    """What is written by the edit that is likeliest between two tokens, and how likely it is."""
    return max(
        ((new, edit.probability(before, after)) for new, edit in edits.items()),
        key=lambda found: found[1],
        default=(None, 0.0),
    )


def _beside(tokens: Tokens) -> Iterator[tuple[int, int, int]]:
    """Each token between its neighbours, and END at last."""
    padded = [BEGIN, *tokens, END, END]
    return zip(padded, padded[1:], padded[2:], strict=False)


class _Chances:
    """Where one edit could have been made, and was it."""

    def __init__(self) -> None:
        self._before: list[int] = []
        self._after: list[int] = []
        self._made: list[bool] = []

    def add(
        self, beside: Sequence[tuple[int, int, int]], aligned: Sequence[Edit], edit: Edit
    ) -> None:
        """All places of an output, its tokens ``beside`` their neighbours."""
        place = 0
        inserted = False  # the person's token, at the gap before ``place``
        for old, new in [*aligned, (END, END)]:
            before, token, after = beside[place]
            if old is None:
                inserted = inserted or (old, new) == edit
                continue
            if edit[0] is None:
                self._note(before, token, inserted)
            elif old == edit[0]:
                self._note(before, after, new == edit[1])
            inserted, place = False, place + 1

    def _note(self, before: int, after: int, made: bool) -> None:
        self._before.append(before)
        self._after.append(after)
        self._made.append(made)

    def regression(self, likeness: Likeness) -> _Regression:
        """The regression. A token's number is one of its own and what its likeness adds, ``own +
        w · vector``; a ridge penalty on all these but the bias.
        """
        befores, before = torch.unique(torch.tensor(self._before), return_inverse=True)
        afters, after = torch.unique(torch.tensor(self._after), return_inverse=True)
        alike = [likeness.of_tokens(tokens.tolist()) for tokens in (befores, afters)]
        made = torch.tensor(self._made, dtype=torch.float64)
        width = likeness.vectors.shape[1]
        sizes = [1, len(befores), len(afters), width, width]
        numbers = torch.zeros(sum(sizes), dtype=torch.float64, requires_grad=True)
        penalty = torch.tensor([0.0, _OWN, _OWN, _ALIKE, _ALIKE], dtype=torch.float64)
        penalty = penalty.repeat_interleave(torch.tensor(sizes))
        fit = torch.optim.LBFGS([numbers], max_iter=_ITERATIONS, line_search_fn="strong_wolfe")

        def loss() -> Tensor:
            fit.zero_grad()
            bias, left, right, left_alike, right_alike = torch.split(numbers, sizes)
            left, right = left + alike[0] @ left_alike, right + alike[1] @ right_alike
            found: Tensor = (
                torch.nn.functional.binary_cross_entropy_with_logits(
                    bias + left[before] + right[after], made, reduction="sum"
                )
                + (penalty / 2 * numbers.square()).sum()
            )
            torch.autograd.backward(found)
            return found

        fit.step(loss)  # type: ignore[no-untyped-call]
        bias, left, right, *slopes = torch.split(numbers.detach(), sizes)
        sides = ((befores, left, slopes[0]), (afters, right, slopes[1]))
        return _Regression(bias.item(), *(_numbers(likeness, *side) for side in sides))


def _numbers(likeness: Likeness, seen: Tensor, own: Tensor, slope: Tensor) -> dict[int, float]:
    """By token: those that the corrections have, and all that are like any."""
    numbers = dict(zip(likeness.rows, (likeness.vectors @ slope).tolist(), strict=True))
    for token, number in zip(seen.tolist(), own.tolist(), strict=True):
        numbers[token] = numbers.get(token, 0.0) + number
    return numbers
