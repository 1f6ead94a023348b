"""What a confidence looks at, number for number."""

from __future__ import annotations

import math

import numpy as np
import pytest

from transduce.confidence.features import (
    NBEST,
    OUTPUT,
    WORD,
    WORD_NBEST,
    output_features,
    word_features,
)
from transduce.search import Hypothesis, Retraced


def hypothesis(tokens: tuple[int, ...], scores: list[float], read: bool = False) -> Hypothesis:
    total = sum(scores)
    retraced = None
    if read:
        own = np.array(scores, np.float32)
        other = own - 1.0
        other[1] = own[1] + 0.5  # the second token was not the likeliest
        best = np.stack([np.maximum(own, other), np.minimum(own, other)], axis=1)
        entropies = np.array([0.1, 0.7, 0.2, 0.0], np.float32)
        retraced = Retraced(own, entropies, best, np.zeros((4, 2), np.int64))
    return Hypothesis(tokens, total, total, tuple(scores), True, retraced=retraced)


BEST = hypothesis((7, 8, 9), [-0.1, -0.9, -0.2, -0.05], read=True)
OTHER = hypothesis((7, 5, 9), [-0.2, -2.0, -0.3, -0.1])


def log(value: float) -> float:
    return math.log(1e-3 + value)


def test_of_an_output() -> None:
    ratio = math.log(4 / 6)
    wanted = {
        "surprise": log(1.25),
        "largest_surprise": log(0.9),
        "entropy": log(0.25),
        "largest_entropy": log(0.7),
        "margin": (1 - 0.5 + 1 + 1) / 4,
        "least_margin": -0.5,
        "length": math.log(4),
        "length_ratio": ratio,
        "length_ratio_squared": ratio**2,
    }
    found = output_features([BEST], 6, 0, nbest=False)
    assert dict(zip(OUTPUT, found, strict=True)) == pytest.approx(wanted, abs=1e-6)
    several = output_features([BEST, OTHER], 6, 0, nbest=True)
    share = 1 / (1 + math.exp(-2.6 + 1.25))
    assert several[:-2] == pytest.approx(found)
    # Of three tokens two are the same.
    more = {"doubt": log(-math.log(share)), "agreement": share + (1 - share) * 2 / 3}
    assert dict(zip(NBEST, several[-2:], strict=True)) == pytest.approx(more, abs=1e-6)


def test_what_is_no_text_does_not_count() -> None:
    found = dict(zip(OUTPUT, output_features([BEST], 6, 2, nbest=False), strict=True))
    assert found["surprise"] == pytest.approx(log(0.25), abs=1e-6)
    assert found["length"] == pytest.approx(math.log(2))


def test_of_words() -> None:
    found = word_features([BEST], [0, 0, 1], 0, nbest=False)
    first = {
        "surprise": log(1.0),
        "largest_entropy": log(0.7),
        "least_margin": -0.5,
        "length": math.log(2),
        "surprise_before": log(0),
        "surprise_behind": log(0.2),
        "output_surprise": log(1.25 / 4),
    }
    assert dict(zip(WORD, found[0], strict=True)) == pytest.approx(first, abs=1e-6)
    assert found[1, 4:6] == pytest.approx([log(0.9), log(0.05)], abs=1e-6)
    share = 1 / (1 + math.exp(-2.6 + 1.25))
    several = word_features([BEST, OTHER], [0, 0, 1], 0, nbest=True)
    assert len(several[0]) == len(WORD) + len(WORD_NBEST)
    assert several[:, -1] == pytest.approx([share, 1])  # the other has another second token


def test_a_token_that_is_several_words_counts_for_each() -> None:
    found = word_features([BEST], [0, 2, 2], 0, nbest=False)
    assert len(found) == 3
    assert found[1, 0] == pytest.approx(log(0.9), abs=1e-6)


def test_no_words() -> None:
    assert word_features([BEST], [], 3, nbest=True).shape == (0, len(WORD) + 1)
