"""Which edits are a person's own, and targets with these made."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from transduce.workflow.adapting.edits import Habit, alignment, person_edits, rewrite

TOKENS = st.lists(st.integers(4, 7), max_size=5)


def fewest(before: tuple[int, ...], after: tuple[int, ...]) -> int:
    """The edit distance, from its definition."""
    if not before or not after:
        return len(before) + len(after)
    return min(
        fewest(before[1:], after[1:]) + (before[0] != after[0]),
        fewest(before[1:], after) + 1,
        fewest(before, after[1:]) + 1,
    )


@given(TOKENS, TOKENS)
def test_alignments_are_shortest_and_hold_both_sides(before: list[int], after: list[int]) -> None:
    found = alignment(before, after)
    assert [old for old, _ in found if old is not None] == before
    assert [new for _, new in found if new is not None] == after
    assert sum(old != new for old, new in found) == fewest((*before,), (*after,))


@given(TOKENS, TOKENS)
def test_rewriting_with_all_edits_gives_the_output_with_none_the_target(
    target: list[int], output: list[int]
) -> None:
    every = {*itertools.product([*range(4, 8), None], repeat=2)}
    whole, nothing = rewrite(target, output, every), rewrite(target, output, ())
    assert whole.tokens == output
    assert nothing.tokens == target
    assert nothing.origins == [*range(len(target))]
    assert all(whole.agreed)
    for token, origin in zip(whole.tokens, whole.origins, strict=True):
        assert origin is None or target[origin] == token


def test_only_the_persons_edits_are_made() -> None:
    found = rewrite([5, 6, 7], [9, 6, 4], {(5, 9)})
    assert (found.tokens, found.origins) == ([9, 6, 7], [None, 1, 2])
    assert found.agreed == [True, True, False]
    found = rewrite([5, 6, 7, 8], [5, 7, 8, 4], {(6, None)})
    assert (found.tokens, found.origins) == ([5, 7, 8], [0, 2, 3])
    found = rewrite([5, 6, 7, 8], [5, 7, 8, 4], {(None, 4)})
    assert (found.tokens, found.origins) == ([5, 6, 7, 8, 4], [0, 1, 2, 3, None])


def test_a_habit_is_told_from_the_models_mistakes() -> None:
    # 5 becomes 6 each time, which is no mistake of the model; 7 becomes 8 as often as ever.
    corrections = [([5, 7, 4], [6, 7, 4])] * 4 + [([7, 4], [8, 4])] * 2 + [([9], [])]
    mistakes = [([7, 4, 5], [8, 4, 5])] * 30 + [([7, 5], [7, 5])] * 60
    assert person_edits(corrections, mistakes) == {(5, 6): Habit(4, 1.0)}


def test_what_is_left_out_and_put_in_counts() -> None:
    corrections = [([5, 6], [5])] * 5 + [([7], [7, 8])] * 5
    assert person_edits(corrections, []) == {(6, None): Habit(5, 1.0), (None, 8): Habit(5, 1.0)}


def test_one_time_is_no_habit() -> None:
    assert person_edits([([5], [6])], [([5], [5])] * 1000) == {}


def test_many_tokens_are_counted_without_overflow() -> None:
    corrections = [([5] * 50, [6] * 50)] * 100
    assert person_edits(corrections, [([5] * 50, [5] * 50)] * 100) == {(5, 6): Habit(5000, 1.0)}
