"""What epochs change of batches: by seed, epoch and pair alone, and in the shares asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from random import Random

import numpy as np
import pytest

from small_batches import make_batch
from transduce.batches.batching import Batches
from transduce.batches.changes.changed_batches import BatchChange, ChangedBatches
from transduce.batches.changes.subword_sampling import SampledSources, SampledTargets
from transduce.batches.changes.switched_tokens import HiddenTokens, SwitchOut
from transduce.batches.changes.tag_order import TagOrder
from transduce.interfaces import END, PADDING, UNKNOWN, Batch

TAG = 40  # the first tag


class Corpus:
    """Sources of two tags and up to six tokens, and the same tokens as targets."""

    def __init__(self, pairs: int) -> None:
        chance = np.random.default_rng(3)
        rows = [chance.integers(4, TAG, n % 7).tolist() for n in range(pairs)]
        self.sources = [[TAG, TAG + 1, *row] for row in rows]
        self.targets = rows
        self.source_lengths = np.array([len(row) + 1 for row in self.sources])
        self.target_lengths = np.array([len(row) + 1 for row in rows])

    def __len__(self) -> int:
        return len(self.sources)

    def in_epoch(self, epoch: int) -> Corpus:
        return self

    def batch(self, indices: Sequence[int]) -> Batch:
        chosen = [int(n) for n in indices]
        rows = [self.sources[n] for n in chosen], [self.targets[n] for n in chosen]
        return make_batch(*rows, chosen)


class Doubling:
    """Says some tokens twice."""

    def sample(self, row: Sequence[int], chance: Random) -> list[int]:
        return [token for token in row for _ in range(1 + (chance.random() < 0.5))]


CHANGES: dict[str, BatchChange] = {
    "sources": SampledSources(Doubling(), 1),
    "targets": SampledTargets(Doubling(), 1),
    "hidden": HiddenTokens(0.4, TAG, 1),
    "switched": SwitchOut(2.0, TAG, 1),
    "tags": TagOrder(TAG, 5, 1),
}
CORPUS = Corpus(60)
Rows = dict[int, tuple[list[int], list[int]]]


def read(changes: Sequence[BatchChange], epoch: int, budget: int = 40, **part: int) -> list[Rows]:
    """The pairs of each batch by their number, without padding."""
    found = []
    for batch in ChangedBatches(Batches(CORPUS, budget, 1), changes).iterate(epoch, **part):
        rows = zip(batch.source.tokens, batch.source.lengths, batch.target, strict=True)
        own = zip(batch.indices, rows, batch.target_lengths.tolist(), strict=True)
        found.append({n: (s[:m].tolist(), t[1 : k + 1].tolist()) for n, (s, m, t), k in own})
    return found


def together(batches: list[Rows]) -> Rows:
    return {number: rows for batch in batches for number, rows in batch.items()}


@pytest.mark.parametrize("name", CHANGES)
def test_a_pair_is_changed_alike_wherever_it_is_read(name: str) -> None:
    change = [CHANGES[name]]
    whole = read(change, 3)
    assert read(change, 3) == whole
    assert read(change, 3, start=4) == whole[4:]  # where a run goes on from a checkpoint
    assert together(read(change, 3, budget=90)) == together(whole)
    shares = [together(read(change, 3, rank=rank, world=2)) for rank in range(2)]
    assert shares[0] | shares[1] == together(whole)


@pytest.mark.parametrize("name", CHANGES)
def test_epochs_and_seeds_differ_and_padding_is_kept(name: str) -> None:
    change = CHANGES[name]
    found = [together(read([change], epoch)) for epoch in (1, 2)]
    plain = together(read([], 1))
    assert found[0] != found[1]
    assert plain not in found
    side = 1 if name == "targets" else 0
    for number, rows in found[0].items():
        assert rows[1 - side] == plain[number][1 - side]
        assert rows[side][-1] == END
        assert PADDING not in rows[side]


def test_all_changes_together_keep_numbers_and_ends() -> None:
    found = together(read(list(CHANGES.values()), 2))
    assert found.keys() == set(range(len(CORPUS)))
    assert all(source[-1] == END and target[-1] == END for source, target in found.values())


@pytest.mark.parametrize("name", CHANGES)
def test_a_batch_without_rows(name: str) -> None:
    empty = CORPUS.batch([])
    changed = CHANGES[name](empty, 1)
    assert changed.target.shape == (0, 2)
    assert changed.source.tokens.shape == (0, 1)


@pytest.mark.parametrize("side", [SampledSources, SampledTargets])
def test_rows_that_would_grow_too_long_stay(side: type[SampledSources | SampledTargets]) -> None:
    batch = CORPUS.batch(range(60))
    longest = int(batch.source.lengths.max()) if side is SampledSources else 7
    changed = side(Doubling(), 1, longest)(batch, 1)
    lengths = changed.source.lengths if side is SampledSources else changed.target_lengths
    assert int(lengths.max()) == longest
    free = side(Doubling(), 1)(batch, 1)
    assert int((free.source.lengths + free.target_lengths).max()) > longest + 7


def tokens_of(change: BatchChange, source: list[int], pairs: int) -> np.ndarray:
    batch = make_batch([source] * pairs, [[4]] * pairs)
    return change(batch, 7).source.tokens.numpy()


def test_hidden_share() -> None:
    found = tokens_of(HiddenTokens(0.3, TAG, 1), [TAG, 5, 6, 7, 8, TAG + 1], 2500)
    assert set(found[:, 0]) == {TAG}
    assert set(found[:, 5]) == {TAG + 1}
    assert set(found[:, 6]) == {END}
    share = (found[:, 1:5] == UNKNOWN).mean()
    assert abs(share - 0.3) < 0.023  # five standard deviations of 10,000 draws


@pytest.mark.parametrize("temperature", [0.3, 1.0, 5.0])
def test_switched_counts_places_and_tokens(temperature: float) -> None:
    source = [TAG, 5, 6, 7, 8, 9]
    found = tokens_of(SwitchOut(temperature, TAG, 1), source, 20_000)
    assert set(found[:, 0]) == {TAG}
    assert set(found[:, 6]) == {END}
    weights = np.exp(-np.arange(6) / temperature)
    expected = weights / weights.sum()
    # a token may be switched for itself: one in 36
    changed = found[:, 1:6] != np.array(source[1:])
    mean = (expected * np.arange(6)).sum()
    assert changed.sum(1).mean() == pytest.approx(mean * 35 / 36, rel=0.05)
    same = (changed.sum(1) == 0).mean()
    kept = (expected * (1 / 36) ** np.arange(6)).sum()
    assert same == pytest.approx(kept, abs=0.018)
    by_place = changed.mean(0)
    assert by_place == pytest.approx(np.full(5, by_place.mean()), abs=0.018)
    drawn = Counter(found[:, 1:6][changed].tolist())
    assert drawn.keys() == set(range(4, TAG))
