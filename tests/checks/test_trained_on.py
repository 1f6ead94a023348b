"""Noticing that a model is tested on what it was trained on."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transduce.checks.trained_on import PairSketch

Pairs = list[tuple[str, str]]


def numbered(first: int, last: int) -> Pairs:
    return [(f"source {n}", f"target {n}") for n in range(first, last)]


def test_few_pairs_are_told_exactly() -> None:
    sketch = PairSketch.of(numbered(0, 100))
    assert sketch.share(numbered(0, 100)) == 1
    assert sketch.share(numbered(100, 200)) == 0
    assert sketch.share(numbered(75, 125)) == 0.5
    assert sketch.share([]) == 0


def test_of_many_pairs_the_share_is_estimated() -> None:
    sketch = PairSketch.of(numbered(0, 20_000))
    assert len(sketch.hashes) == 512
    assert sketch.share(numbered(0, 20_000)) == 1
    assert sketch.share(numbered(20_000, 40_000)) == 0
    assert 0.3 < sketch.share(numbered(10_000, 30_000)) < 0.7


def test_another_target_is_another_pair() -> None:
    sketch = PairSketch.of([("a", "b")])
    assert sketch.share([("a", "c"), ("ab", ""), ("", "ab")]) == 0


@given(st.lists(st.tuples(st.text(max_size=3), st.text(max_size=3)), max_size=50))
def test_order_and_repeats_do_not_matter(pairs: Pairs) -> None:
    again = sorted([*pairs, *pairs[:5]])
    assert PairSketch.of(again).hashes == PairSketch.of(pairs).hashes


def test_goes_through_json() -> None:
    sketch = PairSketch.of(numbered(0, 2000))
    assert PairSketch.from_dict(json.loads(json.dumps(sketch.to_dict()))) == sketch


@pytest.mark.parametrize(
    "values",
    [
        None,
        3,
        {},
        {"pairs": "x", "hashes": []},
        {"pairs": 1, "hashes": ["zz"]},
        {"pairs": 1, "hashes": [1]},
        {"pairs": 1, "hashes": ["0"] * 600},
    ],
)
def test_what_is_no_sketch_tells_nothing(values: object) -> None:
    assert PairSketch.from_dict(values) is None
