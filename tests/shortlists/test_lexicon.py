"""Lexicons: IBM model 1 against its equations, and what lists need."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
import pytest
import torch

from architectures import ARCHITECTURES, make_model
from transduce.batches.encoded_corpus import EncodedSide
from transduce.errors import ModelError
from transduce.interfaces import Batch, Source
from transduce.shortlists import lexicon as module
from transduce.shortlists.attended import attended_lexicon
from transduce.shortlists.choosing import Heard, choose_shortlist
from transduce.shortlists.lexicon import NOTHING, Lexicon, learn_lexicon

PAIRS = [([5, 6], [7, 8]), ([5], [7]), ([6, 9, 5], [8, 4, 7, 7]), ([9], [4]), ([6], [8, 10])]
SIZES = (11, 12)
END = 3


@dataclass
class Pairs:
    source: EncodedSide
    target: EncodedSide


def encoded(pairs: list[tuple[list[int], list[int]]]) -> Pairs:
    sides = []
    for side in (0, 1):
        rows = [[*pair[side], END] for pair in pairs]
        flat = np.array([token for row in rows for token in row], np.uint16)
        sides.append(EncodedSide.of(flat, np.array([len(row) for row in rows], np.int32)))
    return Pairs(*sides)


def by_the_equations(rounds: int) -> np.ndarray:
    """Float64 ``p[s, t]``."""
    p = np.zeros(SIZES)
    rows = [([NOTHING, *source, END], [*target, END]) for source, target in PAIRS]
    for source, target in rows:
        for s, t in product(source, target):
            p[s, t] = 1.0
    for _ in range(rounds):
        counts = np.zeros(SIZES)
        for source, target in rows:
            for t in target:
                total = sum(p[s, t] for s in source)
                for s in source:
                    counts[s, t] += p[s, t] / total
        p = counts / np.maximum(counts.sum(1, keepdims=True), 1e-300)
    return p


def dense(lexicon: Lexicon) -> np.ndarray:
    found = np.zeros(SIZES)
    for source in range(SIZES[0]):
        own = slice(lexicon.offsets[source], lexicon.offsets[source + 1])
        found[source, lexicon.targets[own]] = lexicon.probabilities[own]
    return found


@pytest.mark.parametrize("links", [1, 1 << 20])
@pytest.mark.parametrize("rounds", [1, 2, 5])
def test_model_1(rounds: int, links: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LINKS", links)
    found = dense(learn_lexicon(encoded(PAIRS), SIZES, rounds))
    assert np.allclose(found, by_the_equations(rounds), atol=1e-12)


def test_large_corpora_are_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_LINKS", 25)  # of 53: every third pair
    found = dense(learn_lexicon(encoded(PAIRS), SIZES, 2))
    assert found[5, 7] > 0
    assert not found[9, 7]  # of the third pair alone
    assert not learn_lexicon(encoded(PAIRS[:0]), SIZES).targets.size


def test_the_likeliest() -> None:
    keys = np.array([5 * 12 + 4, 5 * 12 + 7, 5 * 12 + 8, 9 * 12 + 6])
    lexicon = Lexicon.of_counts(keys, np.array([1.0, 2.0, 1.0, 3.0]), SIZES)
    assert lexicon.probabilities.tolist() == [0.25, 0.5, 0.25, 1.0]
    offsets, tokens = lexicon.likeliest(2)
    assert offsets.tolist() == [0, 0, 0, 0, 0, 0, 2, 2, 2, 2, 3, 3]
    assert tokens.tolist() == [7, 4, 6]  # of equals the smaller
    assert lexicon.likeliest(3, 0.3)[1].tolist() == [7, 6]


def test_attention_shares_tokens_out() -> None:
    model = make_model(ARCHITECTURES["transformer-learned"])
    source = Source.of_tokens([[5, 6], [7]])
    target = torch.tensor([[2, 8, 9, 3], [2, 4, 3, 0]])
    batch = Batch(source, target, torch.tensor([3, 2]), (0, 1))
    found = attended_lexicon(model, [batch, batch], (14, 14))
    attention = model.step(batch.target_input, model.start(source, attention=True))[1].attention
    assert attention is not None
    own = attention[0, :, 0].double()  # of token 5, over 8, 9 and END
    listed = found.targets[found.offsets[5] : found.offsets[6]].tolist()
    assert listed == [3, 8, 9]
    shares = found.probabilities[found.offsets[5] : found.offsets[6]]
    expected = (own / own.sum())[[2, 0, 1]]
    assert shares == pytest.approx(expected.tolist(), abs=1e-6)
    assert not len(found.targets[found.offsets[0] : found.offsets[1]])  # of padding


def test_a_model_without_attention() -> None:
    batch = Batch(Source.of_tokens([[5]]), torch.tensor([[2, 8, 3]]), torch.tensor([2]), (0,))
    with pytest.raises(ModelError, match="decoder must have an attention"):
        attended_lexicon(make_model(ARCHITECTURES["lstm-none"]), [batch], (14, 14))


def test_lists_are_as_long_as_outputs_need(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transduce.shortlists.choosing._LEAST_FREQUENT", 0)
    size = 300
    counts = np.arange(size)[::-1]  # token n is the n-th most frequent
    keys = np.array([5 * size + 200, 5 * size + 250, 6 * size + 299])
    lexicon = Lexicon.of_counts(keys, np.array([2.0, 1.0, 1.0]), (7, size))
    copies = np.array([1, 1, 1, 1, 1, 290, 1])  # 5 is the same symbol as 290, 6 is none
    seen = [
        Heard([5, 3], [200, 4, 290]),
        Heard([6, 3], [299, 9]),
        Heard([5, 6, 3], [250, 299, 7]),
        Heard([6, 3], [150]),
    ]
    most = choose_shortlist(lexicon, counts, copies, seen, 0.75)
    assert most.frequent == 10
    assert most.unchanged == 0.75
    assert most.shortlist.always.tolist() == [*range(10)]
    assert most.listed == pytest.approx(10 + (3 + 1 + 4 + 1) / 4)
    every = choose_shortlist(lexicon, counts, copies, seen, 1.0)
    assert every.frequent == 151
    assert every.unchanged == 1.0
    nothing = choose_shortlist(lexicon, counts, copies, [], 1.0)
    assert nothing.frequent == 0
    for one in seen:
        listed = every.shortlist.of(Source.of_tokens([[*one.source[:-1]]])).flatten().tolist()
        assert {*one.output} <= {*listed}
