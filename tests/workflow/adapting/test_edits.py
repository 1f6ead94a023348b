"""Which edits are a person's own, and targets with these made."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from transduce.workflow.adapting.edits import alignment, corrected, person_edits

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
def test_what_is_corrected_is_wanted_and_says_what_stays(
    output: list[int], wanted: list[int]
) -> None:
    found = corrected(output, wanted)
    assert found.tokens == wanted
    assert found.sure == [True] * (len(wanted) + 1)
    kept = [origin for origin in found.origins if origin is not None]
    assert kept == sorted({*kept})
    assert all(output[o] == t for t, o in zip(wanted, found.origins, strict=True) if o is not None)
    changes = [old == new for old, new in alignment(output, wanted)]
    assert len(kept) == sum(changes)


def test_a_habit_is_told_from_the_models_mistakes() -> None:
    # 5 becomes 6 each time, which is no mistake of the model; 7 becomes 8 as often as ever.
    corrections = [([5, 7, 4], [6, 7, 4])] * 4 + [([7, 4], [8, 4])] * 2 + [([9], [])]
    mistakes = [([7, 4, 5], [8, 4, 5])] * 30 + [([7, 5], [7, 5])] * 60
    assert person_edits(corrections, mistakes) == {(5, 6): 4}


def test_what_is_left_out_and_put_in_counts() -> None:
    corrections = [([5, 6], [5])] * 5 + [([7], [7, 8])] * 5
    assert person_edits(corrections, []) == {(6, None): 5, (None, 8): 5}


def test_one_time_is_no_habit() -> None:
    assert person_edits([([5], [6])], [([5], [5])] * 1000) == {}


def test_many_tokens_are_counted_without_overflow() -> None:
    corrections = [([5] * 50, [6] * 50)] * 100
    assert person_edits(corrections, [([5] * 50, [5] * 50)] * 100) == {(5, 6): 5000}


def test_who_corrects_only_what_is_wrong_shows_more_mistakes() -> None:
    # The model writes 6 for 5 in a tenth of its outputs, and in all that are corrected.
    ordinary = [([6, 4], [5, 4])] * 10 + [([6, 4], [6, 4])] * 90
    wrong = [([6, 4], [5, 4])] * 5
    assert person_edits(wrong, ordinary) == {}
    # Among many outputs that are right it is no more than a mistake, either; forty times are.
    assert person_edits(wrong + [([6, 4], [6, 4])] * 45, ordinary) == {}
    habit = {(6, 5): 40}
    assert person_edits(wrong * 8 + [([6, 4], [6, 4])] * 30, ordinary) == habit
