"""Logistic regression: from features to a probability."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["fit_logistic", "sigmoid", "softened"]

Floats = NDArray[np.float64]

_ROUNDS = 100
_CLOSE = 1e-10
_FREE = 1e-6  # penalty of the bias: enough that the equations have one solution


def sigmoid(values: Floats) -> Floats:
    """1 / (1 + exp(-z)), for any z."""
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * values)), np.float64)


def softened(targets: Floats) -> Floats:
    """Targets 0 to 1 that are never quite certain, so that weights stay finite (Platt 1999).

    With P right and N wrong ones, 1 becomes (P + 1) / (P + 2) and 0 becomes 1 / (N + 2).
    """
    right = float(targets.sum())
    wrong = len(targets) - right
    return targets * (right + 1) / (right + 2) + (1 - targets) / (wrong + 2)


def fit_logistic(features: Floats, targets: Floats, penalty: float) -> Floats:
    """Weights ``[F + 1]``, the bias last, for features ``[M, F]`` and targets ``[M]`` of 0 to 1.

    The smallest ``-Σ (t log p + (1 - t) log (1 - p)) + penalty / 2 · |w|²`` with
    ``p = sigmoid(x · w + b)``, by Newton's method; the bias is not penalised.
    """
    count, width = features.shape
    inputs = np.concatenate([features, np.ones((count, 1))], axis=1)
    ridge = np.full(width + 1, penalty)
    ridge[-1] = _FREE
    weights = np.zeros(width + 1)
    loss = _loss(inputs, targets, ridge, weights)
    for _ in range(_ROUNDS):
        chances = sigmoid(inputs @ weights)
        slope = inputs.T @ (chances - targets) + ridge * weights
        bend = (inputs * (chances * (1 - chances))[:, None]).T @ inputs + np.diag(ridge)
        step = np.linalg.solve(bend, slope)
        size = 1.0
        while (
            tried := _loss(inputs, targets, ridge, weights - size * step)
        ) > loss and size > 1e-6:
            size /= 2  # too far
        weights = weights - size * step
        if abs(loss - tried) <= _CLOSE * max(1.0, abs(loss)):
            break
        loss = tried
    return weights


def _loss(inputs: Floats, targets: Floats, ridge: Floats, weights: Floats) -> float:
    scores = inputs @ weights
    # -(t log p + (1 - t) log (1 - p)) = log (1 + exp z) - t z
    own = np.logaddexp(0.0, scores) - targets * scores
    return float(own.sum() + 0.5 * (ridge * weights * weights).sum())
