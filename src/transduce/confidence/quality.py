"""How good a confidence is: does it tell right from wrong, and does it mean what it says?"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["area_under_roc", "calibration_error", "correlation", "risks"]

Floats = NDArray[np.float64]

_BINS = 10


def area_under_roc(scores: ArrayLike, right: ArrayLike) -> float:
    """The probability that a right output has a higher score than a wrong one, ties half.

    The area under the curve of true against false positives, by ranks (Hanley & McNeil 1982).
    NaN where all are right, or all wrong.
    """
    values, good = np.asarray(scores, np.float64), np.asarray(right) > 0.5
    positives, negatives = int(good.sum()), int((~good).sum())
    if not positives or not negatives:
        return float("nan")
    total = float(_ranks(values)[good].sum())
    return (total - positives * (positives + 1) / 2) / (positives * negatives)


def calibration_error(confidences: ArrayLike, quality: ArrayLike, bins: int = _BINS) -> float:
    """Expected calibration error, 0 to 1 (Naeini et al. 2015; Guo et al. 2017, equation 3).

    Outputs in ``bins`` equally wide bins of confidence; of each bin the distance between its mean
    confidence and its mean quality (0 to 1), weighted by its size.
    """
    sure, good = np.asarray(confidences, np.float64), np.asarray(quality, np.float64)
    which = np.minimum((sure * bins).astype(np.int64), bins - 1)
    gaps = np.bincount(which, sure - good, bins)
    return float(np.abs(gaps).sum() / len(sure))


def risks(confidences: ArrayLike, quality: ArrayLike) -> Floats:
    """Mean of ``1 - quality`` of the n outputs that are surest, for n = 1 … M, ``[M]``.

    The risk at each coverage (El-Yaniv & Wiener 2010); of equally sure ones the mean.
    """
    sure, good = np.asarray(confidences, np.float64), np.asarray(quality, np.float64)
    order = np.argsort(-sure, kind="stable")
    _, group = np.unique(-sure[order], return_inverse=True)
    means = np.bincount(group, good[order]) / np.bincount(group)
    lost = np.cumsum(1.0 - means[group])
    return np.asarray(lost / np.arange(1, len(sure) + 1), np.float64)


def correlation(scores: ArrayLike, quality: ArrayLike, *, ranks: bool = False) -> float:
    """Pearson's correlation, or Spearman's, that of the ranks. NaN where one does not change."""
    pair = [np.asarray(values, np.float64) for values in (scores, quality)]
    if ranks:
        pair = [_ranks(values) for values in pair]
    first, second = (values - values.mean() for values in pair)
    scale = float(np.sqrt((first * first).sum() * (second * second).sum()))
    return float((first * second).sum() / scale) if scale > 0 else float("nan")


def _ranks(values: Floats) -> Floats:
    """From 1; equal values share the mean of theirs."""
    _, which, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[which], np.float64)
