"""From features to a calibrated probability: what is fitted, and what is kept of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from transduce.confidence.isotonic import fit_isotonic
from transduce.confidence.logistic import fit_logistic, sigmoid, softened

__all__ = ["Judge", "fit_judge"]

Floats = NDArray[np.float64]

_PENALTY = 2.0  # of the squared weights of features that are scaled to deviation 1
_FOLDS = 5
_ENOUGH = 500  # examples from which on a curve may be better than the logistic one
_MARGIN = 1e-3  # nats an example that a curve has to be better
_LEAST = 1e-6


@dataclass(frozen=True, eq=False)
class Judge:
    """A logistic regression over F named features, and a rising curve behind it where that helps.

    ``p = sigmoid(Σ_f w_f (x_f - mean_f) / scale_f + b)``; ``places`` and ``heights`` ``[K]`` (K 0:
    none) then make of p the probability, straight between the places.
    """

    names: tuple[str, ...]
    means: Floats
    scales: Floats
    weights: Floats
    bias: float
    places: Floats
    heights: Floats

    def probabilities(self, features: Floats) -> Floats:
        """Of features ``[M, F]``, ``[M]``."""
        scores = ((features - self.means) / self.scales) @ self.weights + self.bias
        found = sigmoid(scores)
        return np.interp(found, self.places, self.heights) if len(self.places) else found


def fit_judge(names: Sequence[str], features: Floats, targets: Floats) -> Judge:
    """Fit on features ``[M, F]`` and how right each was, 0 to 1.

    Isotonic calibration is kept where, of five folds that it was not fitted on, it has the smaller
    cross-entropy; few examples have none.
    """
    plain = _logistic(names, features, targets)
    if len(targets) < _ENOUGH:
        return plain
    held = np.arange(len(targets)) % _FOLDS
    losses = np.zeros(2)
    chances = np.empty(len(targets))
    for fold in range(_FOLDS):
        own = held == fold
        chances[own] = _logistic(names, features[~own], targets[~own]).probabilities(features[own])
    for fold in range(_FOLDS):
        own = held == fold
        curved = np.interp(chances[own], *fit_isotonic(chances[~own], softened(targets[~own])))
        losses += _cross_entropy(chances[own], targets[own]), _cross_entropy(curved, targets[own])
    if losses[1] + _MARGIN * len(targets) >= losses[0]:
        return plain
    places, heights = fit_isotonic(chances, softened(targets))
    return Judge(plain.names, plain.means, plain.scales, plain.weights, plain.bias, places, heights)


def _logistic(names: Sequence[str], features: Floats, targets: Floats) -> Judge:
    means, scales = features.mean(axis=0), features.std(axis=0)
    scales = np.where(scales > _LEAST, scales, 1.0)
    weights = fit_logistic((features - means) / scales, softened(targets), _PENALTY)
    none = np.zeros(0)
    return Judge(tuple(names), means, scales, weights[:-1], float(weights[-1]), none, none)


def _cross_entropy(chances: Floats, targets: Floats) -> float:
    safe = np.clip(chances, _LEAST, 1 - _LEAST)
    return float(-(targets * np.log(safe) + (1 - targets) * np.log(1 - safe)).sum())
