"""Spans of sources that are hidden: which, how many, and what is to be written."""

from __future__ import annotations

import itertools
import random
from collections import Counter

import pytest
import torch

from transduce.batches.changes.masked_spans import MaskedSpans
from transduce.interfaces import BEGIN, END, PADDING, UNKNOWN, Batch, Source

FIRST_TAG = 100


def batch_of(rows: list[list[int]], first: int = 0) -> Batch:
    source, target = Source.of_tokens(rows), Source.of_tokens([[BEGIN, *row] for row in rows])
    numbers = tuple(range(first, first + len(rows)))
    return Batch(source, target.values, target.lengths - 1, numbers)


def rows_in(tokens: torch.Tensor) -> list[list[int]]:
    return [[t for t in row if t not in (PADDING, BEGIN, END)] for row in tokens.tolist()]


def mask(rows: list[list[int]], share: float, mean: float, *, only_spans: bool = False) -> Batch:
    return MaskedSpans(share, mean, FIRST_TAG, 7, only_spans)(batch_of(rows), 0)


def test_what_is_hidden_fits_into_the_gaps() -> None:
    chance = random.Random(1)
    rows = [[chance.randrange(4, 50) for _ in range(chance.randrange(1, 30))] for _ in range(300)]
    infilled, spans = mask(rows, 0.3, 3.0), mask(rows, 0.3, 3.0, only_spans=True)
    assert rows_in(infilled.target) == rows
    assert infilled.source.tokens.equal(spans.source.tokens)
    for row, left, hidden in zip(
        rows, rows_in(spans.source.tokens), rows_in(spans.target), strict=True
    ):
        assert (UNKNOWN, UNKNOWN) not in itertools.pairwise(left)  # none touch
        pieces: list[list[int]] = []
        for token in hidden:
            if token == UNKNOWN:
                pieces.append([])
            else:
                pieces[-1].append(token)
        assert len(pieces) == left.count(UNKNOWN) >= (len(row) > 1)
        filled = [t for token in left for t in (pieces.pop(0) if token == UNKNOWN else [token])]
        assert filled == row
    assert spans.target_lengths.tolist() == [len(r) + 1 for r in rows_in(spans.target)]


@pytest.mark.parametrize(("share", "mean"), [(0.3, 3.0), (0.15, 1.0), (0.5, 5.0)])
def test_as_much_is_hidden_as_was_asked_for(share: float, mean: float) -> None:
    rows = [[5] * 37] * 2000
    left = rows_in(mask(rows, share, mean).source.tokens)
    spans = sum(row.count(UNKNOWN) for row in left)
    hidden = sum(37 - len(row) + row.count(UNKNOWN) for row in left)
    assert hidden / (37 * 2000) == pytest.approx(share, rel=0.02)
    assert hidden / spans == pytest.approx(mean, rel=0.05)


def test_each_place_is_as_likely() -> None:
    row = [4, 5, 6, 7]
    found = Counter(map(tuple, rows_in(mask([row] * 3000, 0.5, 1.0).source.tokens)))
    apart = {
        (UNKNOWN, 5, UNKNOWN, 7), (UNKNOWN, 5, 6, UNKNOWN), (4, UNKNOWN, 6, UNKNOWN),
    }  # fmt: skip
    assert set(found) == apart
    assert min(found.values()) > 900
    together = Counter(map(tuple, rows_in(mask([row] * 3000, 0.5, 4.0).source.tokens)))
    one = {key: count for key, count in together.items() if key.count(UNKNOWN) == 1}
    assert set(one) == {(UNKNOWN, 6, 7), (4, UNKNOWN, 7), (4, 5, UNKNOWN)}
    assert max(one.values()) < 1.2 * min(one.values())


def test_tags_stay_and_are_not_counted() -> None:
    row = [FIRST_TAG, FIRST_TAG + 1, 5, 6, FIRST_TAG + 2]
    for left in rows_in(mask([row] * 200, 0.9, 3.0).source.tokens):
        assert [token for token in left if token >= FIRST_TAG] == [100, 101, 102]
        assert left.count(UNKNOWN) == 1
        assert len(left) == 5  # of two tokens one is hidden, one stays
    assert rows_in(mask([[100, 5]], 0.9, 3.0).source.tokens) == [[100, 5]]


def test_it_hangs_on_epoch_and_number_alone() -> None:
    rows = [[random.Random(n).randrange(4, 50) for _ in range(20)] for n in range(20)]
    change = MaskedSpans(0.3, 3.0, FIRST_TAG, 7)
    whole = rows_in(change(batch_of(rows), 3).source.tokens)
    assert rows_in(change(batch_of(rows[5:9], 5), 3).source.tokens) == whole[5:9]
    assert rows_in(change(batch_of(rows), 4).source.tokens) != whole
    assert rows_in(MaskedSpans(0.3, 3.0, FIRST_TAG, 8)(batch_of(rows), 3).source.tokens) != whole
