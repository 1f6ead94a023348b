"""Logistic and isotonic regression and the measures of a confidence, each computed another way."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from transduce.confidence.isotonic import fit_isotonic
from transduce.confidence.judge import fit_judge
from transduce.confidence.logistic import fit_logistic, sigmoid, softened
from transduce.confidence.quality import area_under_roc, calibration_error, correlation, risks

RANDOM = np.random.default_rng(5)


def made(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Features and targets that hang on them."""
    features = RANDOM.normal(size=(count, 3))
    chances = 1 / (1 + np.exp(-(2 * features[:, 0] - features[:, 1] + 0.5)))
    return features, (RANDOM.random(count) < chances).astype(np.float64)


@pytest.mark.parametrize("penalty", [0.1, 2.0])
def test_logistic_against_slow_descent(penalty: float) -> None:
    """From the equation alone: the gradient, followed down until it is nothing."""
    features, targets = made(60)
    targets[:20] = RANDOM.random(20)  # shares are targets too
    weights, bias = np.zeros(3), 0.0
    for _ in range(3_000):
        wrong = 1 / (1 + np.exp(-(features @ weights + bias))) - targets
        weights = weights - 0.04 * (features.T @ wrong + penalty * weights)
        bias -= 0.04 * wrong.sum()
    found = fit_logistic(features, targets, penalty)
    assert found == pytest.approx([*weights, bias], abs=1e-5)


def test_logistic_of_targets_that_are_all_one() -> None:
    features = RANDOM.normal(size=(30, 2))
    weights = fit_logistic(features, softened(np.ones(30)), 1.0)
    assert sigmoid(features @ weights[:-1] + weights[-1]) == pytest.approx(31 / 32, abs=1e-3)


def test_a_sigmoid_of_anything() -> None:
    assert sigmoid(np.array([-1e9, 0.0, 1e9])).tolist() == [0.0, 0.5, 1.0]
    assert sigmoid(np.array([1.3])) == pytest.approx(1 / (1 + math.exp(-1.3)))


@pytest.mark.parametrize("seed", range(6))
def test_isotonic_against_all_partitions(seed: int) -> None:
    """The best rising steps by trying every way to cut the order into runs."""
    random = np.random.default_rng(seed)
    count = 7
    scores, targets = random.permutation(count) / 10.0, random.random(count)
    order = np.argsort(scores)
    best, steps = math.inf, np.zeros(count)
    for cuts in itertools.product([False, True], repeat=count - 1):
        runs = np.split(targets[order], np.flatnonzero(cuts) + 1)
        heights = [run.mean() for run in runs]
        if any(b < a for a, b in itertools.pairwise(heights)):
            continue
        tried = np.concatenate([np.full(len(r), h) for r, h in zip(runs, heights, strict=True)])
        loss = float(((tried - targets[order]) ** 2).sum())
        if loss < best - 1e-12:
            best, steps = loss, tried
    places, heights = fit_isotonic(scores, targets)
    own = [scores[order][steps == height].mean() for height in np.unique(steps)]
    assert heights == pytest.approx(np.unique(steps))
    assert places == pytest.approx(own)


def test_equal_scores_are_one_place() -> None:
    places, heights = fit_isotonic(np.array([0.5, 0.5, 0.5]), np.array([0.0, 1.0, 1.0]))
    assert (places.tolist(), len(heights)) == ([0.5], 1)


def test_a_curve_is_kept_where_it_is_better() -> None:
    """Features that a logistic curve cannot follow: right in the middle of a step."""
    features = RANDOM.uniform(-1, 1, size=(3000, 1))
    steps = np.where(features[:, 0] > 0.6, 0.98, 0.4)
    targets = (RANDOM.random(3000) < steps).astype(np.float64)
    judge = fit_judge(["x"], features, targets)
    assert len(judge.places) > 1
    probabilities = judge.probabilities(np.array([[-0.5], [0.8]]))
    assert probabilities == pytest.approx([0.4, 0.98], abs=0.06)
    assert not len(fit_judge(["x"], *(part[:100] for part in (features, targets))).places)


def test_a_feature_that_never_changes_says_nothing() -> None:
    features, targets = made(80)
    features[:, 1] = 3.0
    judge = fit_judge(["a", "b", "c"], features, targets)
    assert judge.weights[1] == 0
    assert np.isfinite(judge.probabilities(features)).all()


# ------------------------------------------------ measures


@pytest.mark.parametrize("digits", [1, 9])  # with ties and without
def test_area_against_all_pairs(digits: int) -> None:
    scores = np.round(RANDOM.random(60), digits)
    right = RANDOM.random(60) < scores
    pairs = [
        (a > b) + 0.5 * (a == b) for a in scores[right].tolist() for b in scores[~right].tolist()
    ]
    assert area_under_roc(scores, right) == pytest.approx(np.mean(pairs))
    assert math.isnan(area_under_roc(scores, np.ones(60)))


def test_calibration_error_bin_by_bin() -> None:
    sure, quality = RANDOM.random(200), RANDOM.random(200)
    sure[0] = 1.0
    total = 0.0
    for number in range(10):
        inside = (sure >= number / 10) & ((sure < (number + 1) / 10) | (number == 9))
        total += abs(sure[inside].mean() - quality[inside].mean()) * inside.sum()
    assert calibration_error(sure, quality) == pytest.approx(total / 200)
    assert calibration_error([0.95, 0.95], [1, 1]) == pytest.approx(0.05)


def test_risk_of_the_surest() -> None:
    assert risks([0.9, 0.1, 0.5], [1, 0, 1]).tolist() == pytest.approx([0, 0, 1 / 3])
    # Equally sure ones share what is wrong with them, whatever their order.
    assert risks([0.5, 0.5], [0, 1]).tolist() == risks([0.5, 0.5], [1, 0]).tolist() == [0.5, 0.5]


def test_correlations() -> None:
    first, second = RANDOM.random(50), RANDOM.random(50)
    assert correlation(first, second) == pytest.approx(np.corrcoef(first, second)[0, 1])
    ranks = [np.argsort(np.argsort(values)) for values in (first, second)]
    assert correlation(first, second, ranks=True) == pytest.approx(np.corrcoef(*ranks)[0, 1])
    assert correlation([1, 2, 3], [1, 8, 27], ranks=True) == pytest.approx(1)
    assert math.isnan(correlation([1, 1], [0, 1]))
