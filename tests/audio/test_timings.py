"""When words were said: the cut of attention against all cuts, and words of a run."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transduce.audio.word_times import Word, stretches, timed_words


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 4), st.integers(1, 7), st.integers(0, 1000))
def test_no_other_cut_holds_more_attention(tokens: int, positions: int, seed: int) -> None:
    weights = np.random.default_rng(seed).random((tokens, positions)).astype(np.float32)

    def held(cuts: tuple[int, ...]) -> float:
        edges = [0, *cuts, positions]
        return sum(float(weights[t, edges[t] : edges[t + 1]].sum()) for t in range(tokens))

    best = max(
        held(cuts)
        for cuts in itertools.combinations_with_replacement(range(positions + 1), tokens - 1)
    )
    found = stretches(weights)
    assert found[0][0] == 0
    assert found[-1][1] == positions
    assert all(a[1] == b[0] for a, b in itertools.pairwise(found))
    assert held(tuple(start for start, _ in found[1:])) == pytest.approx(best, abs=1e-5)


def letters(tokens: list[int]) -> str:
    return "".join(" " if token == 0 else chr(96 + token) for token in tokens)


def test_tokens_of_a_word_are_joined_and_silence_is_left_out() -> None:
    # "ab c" and END over ten positions of 0.1 seconds
    rows = {0: (1, 2), 1: (2, 4), 2: (4, 5), 3: (6, 8), 4: (9, 10)}
    weights = np.full((5, 10), 1e-3, np.float32)
    for row, (start, end) in rows.items():
        weights[row, start:end] = 1.0
    found = timed_words(weights, [1, 2, 0, 3], letters, 1.0)
    assert found == (Word("ab", 0.1, pytest.approx(0.5)), Word("c", 0.6, 0.8))


def test_a_word_without_a_stretch_stands_between_its_neighbours() -> None:
    weights = np.zeros((4, 2), np.float32)
    weights[0, 0] = weights[2, 1] = 1.0
    found = timed_words(weights, [1, 0, 2], letters, 2.0)
    assert [word.text for word in found] == ["a", "b"]
    assert all(0 <= word.start <= word.end <= 2.0 for word in found)


def test_no_words() -> None:
    assert timed_words(np.ones((1, 3), np.float32), [], letters, 1.0) == ()


def marked(tokens: list[int]) -> str:
    """Letters, and a comma for -1."""
    return "".join("," if token == -1 else letters([token]) for token in tokens)


def test_nobody_says_a_comma() -> None:
    # "a," pauses for 0.4 seconds, in which only the comma is looked at; then "b" and END
    rows = {0: (0, 2), 1: (2, 6), 2: (6, 6), 3: (6, 8), 4: (9, 10)}
    weights = np.full((5, 10), 1e-3, np.float32)
    for row, (start, end) in rows.items():
        weights[row, start:end] = 1.0
    found = timed_words(weights, [1, -1, 0, 2], marked, 1.0)
    assert found == (Word("a,", 0.0, 0.2), Word("b", 0.6, 0.8))
    alone = timed_words(weights[1:], [-1, 0, 2], marked, 1.0)  # a mark that is a word is timed
    assert alone[0].end == pytest.approx(0.6)


def test_words_begin_and_end_with_sound() -> None:
    weights = np.full((4, 10), 1e-3, np.float32)
    weights[0, 0:4] = weights[2, 4:8] = weights[3, 8:] = 1.0
    sound = np.zeros(90, dtype=bool)
    sound[13:35] = True
    found = timed_words(weights, [1, 0, 2], letters, 1.0, sound)
    assert found[0] == Word("a", 0.13, 0.35)
    assert found[1] == Word("b", 0.4, 0.8)  # nothing is heard there: as attention has it
    sound[70:] = True
    assert timed_words(weights, [1, 0, 2], letters, 1.0, sound)[1] == Word("b", 0.7, 0.8)


def test_no_word_ends_after_the_recording() -> None:
    weights = np.full((2, 10), 1e-3, np.float32)
    weights[0, 5:] = 1.0
    (word,) = timed_words(weights, [1], letters, 1.0, np.zeros(93, dtype=bool))
    assert word == Word("a", 0.5, 0.93)
