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
    befores, afters = sorted({b for b, _, _ in seen}), sorted({a for _, a, _ in seen})
    rows = [
        [1.0, *[float(b == one) for one in befores], *[float(a == one) for one in afters]]
        for b, a, _ in seen
    ]
    x, y = np.array(rows), np.array([made for _, _, made in seen], float)
    ridge = 0.03 * np.diag([0.0] + [1.0] * (x.shape[1] - 1))
    w = np.zeros(x.shape[1])
    for _ in range(50):
        p = 1 / (1 + np.exp(-x @ w))
        hessian = x.T @ (x * (p * (1 - p))[:, None]) + ridge
        w -= np.linalg.solve(hessian, x.T @ (p - y) + ridge @ w)
    habit = places(pairs, (5, 9)).regression()
    for before, after in itertools.product([*befores, 99], [*afters, 99]):
        score = w[0]
        score += w[1 + befores.index(before)] if before in befores else 0.0
        score += w[1 + len(befores) + afters.index(after)] if after in afters else 0.0
        wanted = 1 / (1 + math.exp(-score))
        assert habit.probability(before, after) == pytest.approx(wanted, abs=1e-3)


def test_a_rule_is_learnt_with_its_place() -> None:
    # A last 5 is 6, others stay.
    pairs = [([4, 5], [4, 6]), ([7, 5], [7, 6]), ([5, 5], [5, 6]), ([5, 4], [5, 4])] * 4
    habits = Habits(pairs, [(5, 6)])
    assert habits.changes(5)
    assert not habits.changes(6)
    found = habits.rewritten([5, 7, 4, 5])
    assert found.tokens == [5, 7, 4, 6]
    assert found.origins == [0, 1, 2, None]
    assert found.sure == [True] * 5


def test_tokens_are_left_out_and_put_in() -> None:
    pairs = [([4, 5, 7], [4, 7]), ([5, 7], [7]), ([6, 4], [6, 9, 4]), ([7, 6], [7, 6, 9])] * 4
    habits = Habits(pairs, [(5, None), (None, 9)])
    found = habits.rewritten([7, 6, 4, 5])
    assert found.tokens == [7, 6, 9, 4]
    assert found.origins == [0, 1, None, 2]
    assert habits.rewritten([7, 7, 6]).tokens == [7, 7, 6, 9]


def test_where_it_is_not_sure_it_keeps_the_token_and_says_so() -> None:
    # Of 5 between 4 and 4 half are changed; nothing tells which.
    pairs = [([4, 5, 4], [4, 6, 4])] * 6 + [([4, 5, 4], [4, 5, 4])] * 5
    found = Habits(pairs, [(5, 6)]).rewritten([4, 5, 4])
    assert found.tokens == [4, 5, 4]
    assert found.sure == [True, False, True, True]


def test_a_doubtful_insertion_leaves_the_next_token_unsure() -> None:
    pairs = [([4, 5], [4, 9, 5])] * 6 + [([4, 5], [4, 5])] * 5
    found = Habits(pairs, [(None, 9)]).rewritten([4, 5])
    assert found.tokens == [4, 5]
    assert found.sure == [True, False, True]
    last = [([4], [4, 9])] * 6 + [([4], [4])] * 5
    assert Habits(last, [(None, 9)]).rewritten([4]).sure == [True, False]


@given(TOKENS)
def test_without_habits_nothing_changes(target: list[int]) -> None:
    found = Habits([([5], [6])], []).rewritten(target)
    assert found.tokens == target
    assert found.origins == [*range(len(target))]
    assert found.sure == [True] * (len(target) + 1)


@settings(max_examples=25)
@given(st.lists(st.tuples(TOKENS, TOKENS), min_size=1, max_size=8), TOKENS)
def test_origins_and_tokens_agree_whatever_is_learnt(
    pairs: list[tuple[list[int], list[int]]], target: list[int]
) -> None:
    edits: list[Edit] = [(5, 6), (5, None), (None, 7), (4, 5)]
    found = Habits(pairs, edits).rewritten(target)
    assert len(found.sure) == len(found.tokens) + 1 == len(found.origins) + 1
    kept = [origin for origin in found.origins if origin is not None]
    assert kept == sorted({*kept})
    for token, origin in zip(found.tokens, found.origins, strict=True):
        assert origin is None or target[origin] == token
