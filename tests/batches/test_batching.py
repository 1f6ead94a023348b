"""Batches: every pair once, budget kept, the same from the same seed, shares that make a whole."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from small_batches import make_batch, padded_tokens, real_tokens
from transduce.batches import batching
from transduce.batches.batching import Batches, prefetch
from transduce.errors import ConfigError, DataError
from transduce.interfaces import Batch


class FakeCorpus:
    """Pairs of given lengths; the tokens say which pair they belong to."""

    def __init__(self, lengths: list[tuple[int, int]]) -> None:
        table = np.array(lengths, dtype=np.int32).reshape(-1, 2)
        self.source_lengths, self.target_lengths = table[:, 0], table[:, 1]

    def __len__(self) -> int:
        return len(self.source_lengths)

    def in_epoch(self, epoch: int) -> FakeCorpus:
        return self

    def batch(self, indices: np.ndarray) -> Batch:
        sources = [[4 + n] * (self.source_lengths[n] - 1) for n in indices.tolist()]
        targets = [[4 + n] * (self.target_lengths[n] - 1) for n in indices.tolist()]
        return make_batch(sources, targets, indices.tolist())


lengths = st.lists(st.tuples(st.integers(1, 30), st.integers(1, 30)), min_size=1, max_size=60)
budgets = st.integers(1, 200)


def indices(batches: Iterator[Batch]) -> list[tuple[int, ...]]:
    return [batch.indices for batch in batches]


@given(lengths, budgets, st.integers(-5, 5), st.integers(0, 3))
@settings(max_examples=150)
def test_every_pair_once_and_the_budget_kept(
    pairs: list[tuple[int, int]], budget: int, seed: int, epoch: int
) -> None:
    batches = Batches(FakeCorpus(pairs), budget, seed)
    seen: list[int] = []
    for batch in batches.iterate(epoch):
        assert max(padded_tokens(batch)) <= budget or len(batch.indices) == 1
        width = max(batch.source.tokens.shape[1], batch.target_output.shape[1])
        assert len(batch.indices) * width <= budget or len(batch.indices) == 1
        seen += batch.indices
    assert sorted(seen) == list(range(len(pairs)))
    assert batches.count(epoch) == len(list(batches.iterate(epoch)))


@given(lengths, budgets, st.integers(0, 2), st.data())
@settings(max_examples=60)
def test_any_start_gives_the_same_rest(
    pairs: list[tuple[int, int]], budget: int, epoch: int, data: st.DataObject
) -> None:
    whole = indices(Batches(FakeCorpus(pairs), budget, 7).iterate(epoch))
    again = Batches(FakeCorpus(pairs), budget, 7)
    list(again.iterate(epoch + 1))  # what was asked for before does not matter
    start = data.draw(st.integers(0, len(whole)))
    assert indices(again.iterate(epoch, start)) == whole[start:]


@given(lengths, budgets, st.integers(1, 5))
@settings(max_examples=60)
def test_shares_together_are_the_whole_batch(
    pairs: list[tuple[int, int]], budget: int, world: int
) -> None:
    corpus = FakeCorpus(pairs)
    whole = list(Batches(corpus, budget, 3).iterate(1))
    shares = [list(Batches(corpus, budget, 3).iterate(1, 0, rank, world)) for rank in range(world)]
    assert {len(share) for share in shares} == {len(whole)}
    for number, batch in enumerate(whole):
        ranks = [share[number] for share in shares]
        assert sorted(sum((rank.indices for rank in ranks), ())) == sorted(batch.indices)
        assert max(len(rank.indices) for rank in ranks) - min(len(p.indices) for p in ranks) <= 1
        totals = np.sum([real_tokens(rank) for rank in ranks], axis=0)
        assert tuple(totals.tolist()) == real_tokens(batch)


def test_a_process_without_rows_gets_an_empty_batch() -> None:
    batches = Batches(FakeCorpus([(3, 2)]), 10, 1)
    (empty,) = batches.iterate(0, rank=1, world=2)
    assert empty.indices == ()
    assert empty.source.tokens.shape == (0, 1)
    assert empty.target.shape == (0, 2)
    assert real_tokens(empty) == (0, 0)


def natural(pairs: int) -> FakeCorpus:
    """Lengths like those of sentences and their translations."""
    chance = np.random.default_rng(0)
    source = np.clip(chance.lognormal(2.5, 0.5, pairs), 1, 100).astype(int) + 1
    target = np.clip(source * chance.lognormal(0, 0.2, pairs), 1, 120).astype(int) + 1
    return FakeCorpus(list(zip(source.tolist(), target.tolist(), strict=True)))


def test_large_batches_come_in_few_numbers_of_rows() -> None:
    rows = [len(batch.indices) for batch in Batches(natural(3000), 1000, 1).iterate(0)]
    large = [number for number in rows if number > 16]
    assert len(large) > 20
    assert sum(number % 16 != 0 for number in large) <= 1  # the last of the line


def test_seed_and_epoch_decide_the_order() -> None:
    corpus = natural(2000)
    first = indices(Batches(corpus, 500, 1).iterate(0))
    assert indices(Batches(corpus, 500, 1).iterate(0)) == first
    assert indices(Batches(corpus, 500, 2).iterate(0)) != first
    later = indices(Batches(corpus, 500, 1).iterate(1))
    # not the same batches in another order, but other batches
    together = {frozenset(batch) for batch in first} & {frozenset(batch) for batch in later}
    assert len(together) < len(first) / 10


def test_long_and_short_batches_come_in_random_order() -> None:
    corpus = natural(3000)
    widths = [int(batch.target_lengths.max()) for batch in Batches(corpus, 500, 1).iterate(0)]
    neighbours = np.corrcoef(widths[:-1], widths[1:])[0, 1]
    assert abs(neighbours) < 0.25


@pytest.mark.parametrize("window", [1 << 20, 5000])
def test_little_is_padding(monkeypatch: pytest.MonkeyPatch, window: int) -> None:
    monkeypatch.setattr(batching, "WINDOW", window)
    corpus = natural(20_000)
    plan = Batches(corpus, 2000, 1).plan(0)
    source = target = source_padded = target_padded = 0
    seen = []
    for number in range(len(plan)):
        pairs = plan[number]
        seen += pairs.tolist()
        source += int(corpus.source_lengths[pairs].sum())
        target += int(corpus.target_lengths[pairs].sum())
        source_padded += len(pairs) * int(corpus.source_lengths[pairs].max())
        target_padded += len(pairs) * int(corpus.target_lengths[pairs].max())
    assert sorted(seen) == list(range(len(corpus)))
    assert source / source_padded > 0.85
    assert target / target_padded > 0.85
    # shuffled batches would fill about a third


def test_batches_are_as_large_as_the_budget_lets_them() -> None:
    corpus = FakeCorpus([(5, 5)] * 100)
    sizes = sorted(len(batch.indices) for batch in Batches(corpus, 50, 1).iterate(0))
    assert sizes == [10] * 10


def test_a_pair_beyond_the_budget_is_alone() -> None:
    corpus = FakeCorpus([(2, 2), (90, 2), (2, 2), (2, 80)])
    found = sorted(indices(Batches(corpus, 10, 1).iterate(0)), key=len)
    assert sorted(found[:2]) == [(1,), (3,)]
    assert sorted(found[2]) == [0, 2]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epoch": 0, "start": 3}, r"start must be from 0 to 2 in epoch 0; got 3"),
        ({"epoch": 0, "start": -1}, r"start must be from 0 to 2"),
        ({"epoch": 0, "rank": 2, "world": 2}, r"rank must be from 0 to 1; got 2"),
        ({"epoch": -1}, r"epoch must be at least 0; got -1"),
    ],
)
def test_wrong_positions_are_refused(options: dict[str, int], message: str) -> None:
    batches = Batches(FakeCorpus([(5, 5)] * 4), 10, 1)
    with pytest.raises(ValueError, match=message):
        batches.iterate(**options)


def test_nothing_to_batch_is_said() -> None:
    with pytest.raises(DataError, match="at least one pair to make batches of; got none"):
        Batches(FakeCorpus([]), 10, 1)
    with pytest.raises(ConfigError, match="batch_tokens must be at least 1; got 0"):
        Batches(FakeCorpus([(1, 1)]), 0, 1)


# ------------------------------------------------ ahead of time


def test_prefetch_keeps_order_and_ends() -> None:
    assert list(prefetch(iter(range(100)), 3)) == list(range(100))
    assert list(prefetch(iter([]))) == []
    assert list(prefetch(iter([None, None]))) == [None, None]


def test_prefetch_is_ahead_but_not_further_than_asked() -> None:
    made: list[int] = []

    def items() -> Iterator[int]:
        for number in range(100):
            made.append(number)
            yield number

    ahead = prefetch(items(), 2)
    assert next(ahead) == 0
    for _ in range(200):
        if len(made) == 4:  # one used, two ready, one in hand
            break
        time.sleep(0.01)
    time.sleep(0.05)
    assert len(made) == 4
    ahead.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "prefetch"]


def test_prefetch_passes_errors_on() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise DataError("gone")

    ahead = prefetch(items())
    assert next(ahead) == 1
    with pytest.raises(DataError, match="gone"):
        next(ahead)


def test_prefetch_needs_a_depth() -> None:
    with pytest.raises(ValueError, match="depth must be at least 1; got 0"):
        prefetch(iter([1]), 0)


def test_prefetched_batches_are_the_same() -> None:
    batches = Batches(natural(300), 200, 1)
    plain = [batch.target for batch in batches.iterate(0)]
    ahead = [batch.target for batch in prefetch(batches.iterate(0))]
    assert all(torch.equal(one, other) for one, other in zip(plain, ahead, strict=True))
