"""The unigram trainer against the sum over all cuttings, written out."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pytest

from transduce.tokenization import unigram
from transduce.tokenization.unigram import train_unigram


def cuttings(word: str, pieces: set[str]) -> Iterator[list[str]]:
    """Every way to write a word as pieces."""
    if not word:
        yield []
    for end in range(1, len(word) + 1):
        if word[:end] in pieces:
            for rest in cuttings(word[end:], pieces):
                yield [word[:end], *rest]


def test_expected_counts_are_those_of_enumeration() -> None:
    pieces = ["a", "ab", "aba", "b", "ba", "c"]
    words = {"abab": 3, "c": 1, "cabac": 2, "bbb": 5}
    probability = np.random.default_rng(0).dirichlet(np.ones(len(pieces)))
    number = {piece: n for n, piece in enumerate(pieces)}
    expected = np.zeros(len(pieces))
    totals = []
    for word, count in words.items():
        ways = list(cuttings(word, set(pieces)))
        weights = [math.prod(probability[number[p]] for p in way) for way in ways]
        totals.append(math.log(sum(weights)))
        for way, weight in zip(ways, weights, strict=True):
            for piece in way:
                expected[number[piece]] += count * weight / sum(weights)
    lattice = unigram._Lattice.build(list(words), number)
    frequency = np.array(list(words.values()), dtype=np.float64)
    np.testing.assert_allclose(lattice.expected(probability, frequency), expected, rtol=1e-12)
    np.testing.assert_allclose(lattice.log_totals(probability), totals, rtol=1e-12)


def test_useful_pieces_survive() -> None:
    words = {"house": 50, "houses": 20, "mouse": 40, "mice": 5}
    seeds = sorted({word[i:j] for word in words for i in range(6) for j in range(i + 1, 7)} - {""})
    single = sum(len(seed) == 1 for seed in seeds)
    pieces = train_unigram(words, seeds, single + 2)
    assert len(pieces) == single + 2
    assert {piece for piece, _ in pieces if len(piece) > 1} == {"house", "mouse"}
    assert pieces[0][0] == "house"
    assert [score for _, score in pieces] == sorted((s for _, s in pieces), reverse=True)
    assert sum(math.exp(score) for _, score in pieces) == pytest.approx(1, abs=1e-3)


def test_single_characters_always_stay() -> None:
    pieces = train_unigram({"abc": 3, "abcd": 9}, ["a", "b", "c", "d", "ab", "abcd"], 2)
    assert sorted(piece for piece, _ in pieces) == ["a", "b", "c", "d"]


def test_order_of_words_and_seeds_does_not_matter() -> None:
    words = {"abab": 2, "baba": 2, "aabb": 2, "bbaa": 2}
    seeds = ["a", "b", "ab", "ba", "aa", "bb", "abab", "baba"]
    one = train_unigram(words, seeds, 5)
    other = train_unigram(dict(reversed(words.items())), list(reversed(seeds)), 5)
    assert one == other


def test_long_words_and_unknown_characters_do_not_disturb() -> None:
    pieces = train_unigram({"ab" * 5000: 1, "aXb": 2, "X": 1}, ["a", "b", "ab"], 3)
    assert max(pieces, key=lambda piece: piece[1])[0] == "ab"
    assert all(math.isfinite(score) for _, score in pieces)


def test_no_words_give_no_loss() -> None:
    assert [piece for piece, _ in train_unigram({}, ["b", "a"], 2)] == ["a", "b"]
