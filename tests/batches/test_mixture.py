"""Drawing from a mixture: shares as asked for, no pair twice too soon, any epoch at any time."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from small_batches import make_batch
from transduce.batches.batching import Batches
from transduce.batches.mixture_sampler import MixtureSampler, shares
from transduce.interfaces import Batch

parts = st.lists(st.tuples(st.integers(1, 60), st.floats(0.1, 10)), min_size=1, max_size=6)
temperatures = st.floats(1, 20)


def sampler(drawn: list[tuple[int, float]], temperature: float, seed: int = 1) -> MixtureSampler:
    sizes, weights = zip(*drawn, strict=True)
    return MixtureSampler(sizes, weights, temperature, seed)


@given(parts, temperatures)
def test_shares_follow_the_equation(drawn: list[tuple[int, float]], temperature: float) -> None:
    sizes, weights = zip(*drawn, strict=True)
    expected = np.array(weights) * np.array(sizes, dtype=np.float64) ** (1 / temperature)
    found = shares(sizes, weights, temperature)
    np.testing.assert_allclose(found, expected / expected.sum(), rtol=1e-9)


def test_temperature_evens_out_and_weights_multiply() -> None:
    np.testing.assert_allclose(shares([900, 100], [1, 1], 1), [0.9, 0.1])
    np.testing.assert_allclose(shares([900, 100], [1, 1], 2), [0.75, 0.25])
    np.testing.assert_allclose(shares([900, 100], [1, 1], 1e9), [0.5, 0.5], rtol=1e-6)
    np.testing.assert_allclose(shares([900, 100], [1, 3], 1), [0.75, 0.25])
    np.testing.assert_allclose(shares([900, 0], [1, 1], 2), [1, 0])


@given(parts, temperatures, st.integers(1, 8))
@settings(max_examples=80)
def test_each_part_has_its_share_of_any_number_of_epochs(
    drawn: list[tuple[int, float]], temperature: float, epochs: int
) -> None:
    mixture = sampler(drawn, temperature)
    edges = np.cumsum([0, *mixture.sizes])
    counts = np.zeros(len(drawn), dtype=int)
    for epoch in range(epochs):
        pairs = mixture.draw(epoch)
        assert len(pairs) >= 1
        counts += np.histogram(pairs, edges)[0]
    wanted = shares(mixture.sizes, mixture.weights, temperature) * sum(mixture.sizes) * epochs
    assert np.abs(counts - wanted).max() < 1 + 1e-5


@given(parts, temperatures, st.integers(1, 6))
@settings(max_examples=80)
def test_a_pair_comes_again_only_when_all_of_its_part_have_come(
    drawn: list[tuple[int, float]], temperature: float, epochs: int
) -> None:
    mixture = sampler(drawn, temperature)
    seen = Counter(np.concatenate([mixture.draw(epoch) for epoch in range(epochs)]).tolist())
    start = 0
    for size in mixture.sizes:
        own = [seen[pair] for pair in range(start, start + size)]
        assert max(own) - min(own) <= 1
        start += size
    assert sum(seen.values()) == sum(seen[pair] for pair in range(start))  # and no other pairs


@given(parts, temperatures, st.integers(-3, 3), st.integers(0, 30))
@settings(max_examples=60)
def test_an_epoch_follows_from_seed_and_number_alone(
    drawn: list[tuple[int, float]], temperature: float, seed: int, epoch: int
) -> None:
    again = sampler(drawn, temperature, seed)
    again.draw(epoch + 1)
    assert again.draw(epoch).tolist() == sampler(drawn, temperature, seed).draw(epoch).tolist()


def test_seed_epoch_and_round_change_the_order() -> None:
    one = MixtureSampler((200, 50), (1.0, 1.0), 1.0, 1)
    two = MixtureSampler((200, 50), (1.0, 1.0), 1.0, 2)
    assert one.draw(0).tolist() != two.draw(0).tolist()
    assert one.draw(0).tolist() != one.draw(1).tolist()
    assert sorted(one.draw(3).tolist()) == list(range(250))  # temperature 1: every pair, once
    # parts of the same size are not shuffled alike
    both = MixtureSampler((50, 50), (1.0, 1.0), 1.0, 1).draw(0)
    assert both[:50].tolist() != (both[50:] - 50).tolist()


def test_whole_rates_lose_no_pair_to_rounding() -> None:
    mixture = MixtureSampler((49, 1, 3), (1.0, 1.0, 1.0), 1.0, 1)
    for epoch in (0, 1, 9, 999, 54_321):
        assert sorted(mixture.draw(epoch).tolist()) == list(range(53))


def test_no_pairs_at_all_are_refused() -> None:
    with pytest.raises(ValueError, match="sizes must count at least one pair; got none"):
        MixtureSampler((0, 0), (1.0, 1.0), 1.0, 1)


class FakeCorpus:
    """Pairs of given lengths."""

    def __init__(self, lengths: list[int]) -> None:
        self.source_lengths = self.target_lengths = np.array(lengths, dtype=np.int32)

    def __len__(self) -> int:
        return len(self.source_lengths)

    def in_epoch(self, epoch: int) -> FakeCorpus:
        return self

    def batch(self, indices: np.ndarray) -> Batch:
        rows = [[4] * (self.source_lengths[n] - 1) for n in indices.tolist()]
        return make_batch(rows, rows, indices.tolist())


@given(parts, temperatures, st.integers(1, 3), st.data())
@settings(max_examples=40)
def test_batches_hold_what_was_drawn_and_go_on_from_anywhere(
    drawn: list[tuple[int, float]], temperature: float, world: int, data: st.DataObject
) -> None:
    mixture = sampler(drawn, temperature)
    total = sum(mixture.sizes)
    corpus = FakeCorpus(data.draw(st.lists(st.integers(1, 9), min_size=total, max_size=total)))
    epoch = data.draw(st.integers(0, 4))
    batches = Batches(corpus, 40, 3, mixture.draw)
    whole = [batch.indices for batch in batches.iterate(epoch)]
    assert sorted(sum(whole, ())) == sorted(mixture.draw(epoch).tolist())
    start = data.draw(st.integers(0, len(whole)))
    again = Batches(corpus, 40, 3, sampler(drawn, temperature).draw)
    assert [batch.indices for batch in again.iterate(epoch, start)] == whole[start:]
    divided = [list(again.iterate(epoch, 0, rank, world)) for rank in range(world)]
    for number, indices in enumerate(whole):
        assert sorted(sum((own[number].indices for own in divided), ())) == sorted(indices)
