"""Tags in several orders: only tags move, only within their run, by the pair alone."""

from __future__ import annotations

from collections import Counter
from itertools import groupby

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from small_batches import make_batch
from transduce.batches.batching import Batches
from transduce.batches.changes.changed_batches import ChangedBatches
from transduce.batches.changes.tag_order import TagOrder, shuffle_tags
from transduce.interfaces import PADDING, Batch

TAG = 10  # the first tag


class Corpus:
    """Sources given, targets of one symbol."""

    def __init__(self, sources: list[list[int]]) -> None:
        self.sources = sources
        self.source_lengths = np.array([len(source) + 1 for source in sources])
        self.target_lengths = np.full(len(sources), 2)

    def __len__(self) -> int:
        return len(self.sources)

    def in_epoch(self, epoch: int) -> Corpus:
        return self

    def batch(self, indices: np.ndarray) -> Batch:
        chosen = indices.tolist()
        return make_batch([self.sources[n] for n in chosen], [[4]] * len(chosen), chosen)


sources = st.lists(
    st.lists(st.integers(4, 16), min_size=1, max_size=12).map(list), min_size=1, max_size=20
)


def orders(
    corpus: Corpus, epoch: int, budget: int = 40, count: int = 1000, **part: int
) -> dict[int, list[int]]:
    """Each pair's source as an epoch gives it, without END and padding."""
    found = {}
    batches = ChangedBatches(Batches(corpus, budget, 1), [TagOrder(TAG, count, 1)])
    for batch in batches.iterate(epoch, **part):
        for index, row in zip(batch.indices, batch.source.tokens.tolist(), strict=True):
            found[index] = [token for token in row if token > PADDING][:-1]
    return found


@given(sources, st.integers(0, 5))
def test_tags_move_within_their_run_and_nothing_else(rows: list[list[int]], epoch: int) -> None:
    found = orders(Corpus(rows), epoch)
    assert found.keys() == set(range(len(rows)))
    for index, source in enumerate(rows):
        for mine, theirs in zip(runs(found[index]), runs(source), strict=True):
            assert Counter(mine) == Counter(theirs)
            assert mine == theirs or mine[0] >= TAG


def runs(tokens: list[int]) -> list[list[int]]:
    return [list(run) for _, run in groupby(tokens, key=lambda token: token >= TAG)]


@given(sources, st.integers(0, 3))
def test_neither_batch_nor_process_matters(rows: list[list[int]], epoch: int) -> None:
    corpus = Corpus(rows)
    whole = orders(corpus, epoch)
    assert orders(corpus, epoch, budget=15) == whole
    shares = [orders(corpus, epoch, rank=rank, world=2) for rank in range(2)]
    assert shares[0] | shares[1] == whole


def test_all_orders_come_about_equally_often() -> None:
    corpus = Corpus([[5, 11, 12, 13]] * 500)
    seen = Counter(
        tuple(source) for epoch in range(1, 13) for source in orders(corpus, epoch, 100).values()
    )
    assert len(seen) == 6
    # 6,000 draws, 1,000 expected each: a standard deviation is 29
    assert all(850 < count < 1150 for count in seen.values())


def test_epochs_take_the_orders_in_turn_and_begin_with_what_is_there() -> None:
    corpus = Corpus([[5, *range(TAG, TAG + 8)]])
    found = [tuple(orders(corpus, epoch, count=4)[0]) for epoch in range(10)]
    assert found[0] == tuple(corpus.sources[0])
    assert len(set(found[:4])) == 4
    assert found[4:] == found[:6]


def test_a_batch_without_rows() -> None:
    empty = torch.zeros(0, 1, dtype=torch.int64)
    assert shuffle_tags(empty, TAG, np.zeros((0, 1), dtype=np.uint64)).shape == (0, 1)
