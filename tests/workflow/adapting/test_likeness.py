"""Which tokens are alike, from the tokens beside them."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch

from transduce.interfaces import BEGIN, END
from transduce.workflow.adapting.habits import Habits
from transduce.workflow.adapting.likeness import Likeness

# 4 and 5 stand before 8, 6 and 7 before 9.
TARGETS = [[4, 8], [5, 8], [6, 9], [7, 9]] * 3


def test_vectors_are_those_of_the_equation() -> None:
    """Written from the equation, in float64."""
    targets = [[4, 5, 4], [5], [6, 4]]
    tokens, ends = [4, 5, 6], [BEGIN, 4, 5, 6, END]
    sides = np.full((2, 3, 5), 0.1)
    for target in targets:
        padded = [BEGIN, *target, END]
        for before, after in pairwise(padded):
            if after in tokens:
                sides[0, tokens.index(after), ends.index(before)] += 1
            if before in tokens:
                sides[1, tokens.index(before), ends.index(after)] += 1
    rows = []
    for counts in sides:
        joint = counts / counts.sum()
        alone = joint.sum(1, keepdims=True) * joint.sum(0, keepdims=True)
        rows.append(np.maximum(0, np.log(joint / alone)))
    wanted = np.concatenate(rows, axis=1)
    wanted -= wanted.mean(0)
    wanted /= np.linalg.norm(wanted, axis=1, keepdims=True)
    found = Likeness.of(targets).of_tokens([*tokens, BEGIN, END, 99]).numpy()
    # Which neighbour has which column is of no matter: products tell the rest.
    apart = np.diag([4.0, 4.0, 0.0])
    np.testing.assert_allclose(found[:3] @ found[:3].T, wanted @ wanted.T, atol=1e-12)
    np.testing.assert_allclose(found[3:] @ found[3:].T, apart, atol=1e-12)
    np.testing.assert_allclose(found[:3] @ found[3:].T, 0, atol=1e-12)


def test_tokens_in_like_company_are_alike() -> None:
    vectors = Likeness.of(TARGETS).of_tokens([4, 5, 6])
    assert torch.dot(vectors[0], vectors[1]) > 0.9
    assert torch.dot(vectors[0], vectors[2]) < 0


def test_what_is_shown_before_one_token_holds_before_its_like() -> None:
    # 10 is 11 before 4, and stays before 6; 5 and 7 were not shown.
    corrections = [([10, 4], [11, 4]), ([10, 6], [10, 6])] * 8
    habits = Habits(corrections, [(10, 11)], Likeness.of(TARGETS))
    assert habits.rewritten([10, 5]).tokens == [11, 5]
    assert habits.rewritten([10, 7]).tokens == [10, 7]
    alone = Habits(corrections, [(10, 11)], Likeness.of([]))
    assert alone.rewritten([10, 5]).tokens == [10, 5]
