"""Where a person makes an edit, from the tokens beside it."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transduce.interfaces import BEGIN, END
from transduce.workflow.adapting.edits import Edit, alignment
from transduce.workflow.adapting.habits import Habits, _beside, _Chances
from transduce.workflow.adapting.likeness import Likeness

ALONE = Likeness.of([])  # nothing is like anything but a beginning and an end
TOKENS = st.lists(st.integers(4, 7), max_size=6)


def places(pairs: list[tuple[list[int], list[int]]], edit: Edit) -> _Chances:
    found = _Chances()
    for output, wanted in pairs:
        found.add([*_beside(output)], alignment(output, wanted), edit)
    return found


def test_the_regression_is_that_of_its_equation() -> None:
    """Newton's method on the penalised likelihood, written from its equation, in float64."""
    pairs = [([4, 5, 6], [4, 9, 6]), ([5, 6], [9, 6]), ([7, 5, 7], [7, 5, 7]), ([4, 5], [4, 5])]
    seen = [(4, 6, 1), (BEGIN, 6, 1), (7, 7, 0), (4, END, 0)]
    likeness = Likeness.of([[4, 5, 6], [6, 8]])  # knows 8, and not 7
    befores, afters = sorted({b for b, _, _ in seen}), sorted({a for _, a, _ in seen})

    def row(before: int, after: int) -> list[float]:
        own = [float(before == one) for one in befores] + [float(after == one) for one in afters]
        return [1.0, *own, *likeness.of_tokens([before, after]).flatten().tolist()]

    x, y = np.array([row(b, a) for b, a, _ in seen]), np.array([made for *_, made in seen], float)
    own = len(befores) + len(afters)
    ridge = np.diag([0.0] + [0.4] * own + [0.025] * (x.shape[1] - 1 - own))
    w = np.zeros(x.shape[1])
    for _ in range(50):
        p = 1 / (1 + np.exp(-x @ w))
        hessian = x.T @ (x * (p * (1 - p))[:, None]) + ridge
        w -= np.linalg.solve(hessian, x.T @ (p - y) + ridge @ w)
    habit = places(pairs, (5, 9)).regression(likeness)
    for before, after in itertools.product([*befores, 8, 99], [*afters, 8, 99]):
        wanted = 1 / (1 + math.exp(-np.array(row(before, after)) @ w))
        assert habit.probability(before, after) == pytest.approx(wanted, abs=1e-3)


def test_a_rule_is_learnt_with_its_place() -> None:
    # A last 5 is 6, others stay.
    pairs = [([4, 5], [4, 6]), ([7, 5], [7, 6]), ([5, 5], [5, 6]), ([5, 4], [5, 4])] * 4
    habits = Habits(pairs, [(5, 6)], ALONE)
    assert habits.changes(5)
    assert not habits.changes(6)
    found = habits.rewritten([5, 7, 4, 5])
    assert found.tokens == [5, 7, 4, 6]
    assert found.origins == [0, 1, 2, None]
    assert found.replaced == {3: 3}
    assert found.sure == [True] * 5


def test_tokens_are_left_out_and_put_in() -> None:
    pairs = [([4, 5, 7], [4, 7]), ([5, 7], [7]), ([6, 4], [6, 9, 4]), ([7, 6], [7, 6, 9])] * 12
    habits = Habits(pairs, [(5, None), (None, 9)], ALONE)
    found = habits.rewritten([7, 6, 4, 5])
    assert found.tokens == [7, 6, 9, 4]
    assert found.origins == [0, 1, None, 2]
    assert habits.rewritten([7, 7, 6]).tokens == [7, 7, 6, 9]


def test_where_it_is_not_sure_it_keeps_the_token_and_says_so() -> None:
    # Of 5 between 4 and 4 four fifths are changed; nothing tells which.
    pairs = [([4, 5, 4], [4, 6, 4])] * 8 + [([4, 5, 4], [4, 5, 4])] * 2
    found = Habits(pairs, [(5, 6)], ALONE).rewritten([4, 5, 4])
    assert found.tokens == [4, 5, 4]
    assert found.sure == [True, False, True, True]


def test_a_doubtful_insertion_leaves_the_next_token_unsure() -> None:
    pairs = [([4, 5], [4, 9, 5])] * 8 + [([4, 5], [4, 5])] * 2
    found = Habits(pairs, [(None, 9)], ALONE).rewritten([4, 5])
    assert found.tokens == [4, 5]
    assert found.sure == [True, False, True]
    last = [([4], [4, 9])] * 8 + [([4], [4])] * 2
    assert Habits(last, [(None, 9)], ALONE).rewritten([4]).sure == [True, False]


@given(TOKENS)
def test_without_habits_nothing_changes(target: list[int]) -> None:
    found = Habits([([5], [6])], [], ALONE).rewritten(target)
    assert found.tokens == target
    assert found.origins == [*range(len(target))]
    assert found.sure == [True] * (len(target) + 1)


@settings(max_examples=25)
@given(st.lists(st.tuples(TOKENS, TOKENS), min_size=1, max_size=8), TOKENS)
def test_origins_and_tokens_agree_whatever_is_learnt(
    pairs: list[tuple[list[int], list[int]]], target: list[int]
) -> None:
    edits: list[Edit] = [(5, 6), (5, None), (None, 7), (4, 5)]
    found = Habits(pairs, edits, ALONE).rewritten(target)
    assert len(found.sure) == len(found.tokens) + 1 == len(found.origins) + 1
    kept = [origin for origin in found.origins if origin is not None]
    assert kept == sorted({*kept})
    for token, origin in zip(found.tokens, found.origins, strict=True):
        assert origin is None or target[origin] == token
