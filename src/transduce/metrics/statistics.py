"""What each sentence adds to a corpus score, so that a score of any sample is one product.

Every text metric here is a function of sums over sentences: n-gram counts for
BLEU, edits and reference lengths for an error rate, and so on. Keeping these
sums a sentence each makes scores by length, worst cases and thousands of
bootstrap resamples cheap.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Formula", "Numbers", "SentenceStatistics", "mean", "rate"]

Numbers = NDArray[np.float64]
Formula = Callable[[Numbers], Numbers]  # sums [R, C] -> scores [R]


@dataclass(frozen=True, slots=True)
class SentenceStatistics:
    """One metric's sufficient statistics over one test set.

    ``values`` is float64 ``[M, C]``: M sentences, C counts whose meaning only
    ``formula`` knows. ``formula`` turns sums of counts ``[R, C]`` into R scores;
    ``sentence_formula`` does so for single sentences, where BLEU differs.
    ``signature`` says how the counts were made; empty where nothing can vary.
    """

    values: Numbers
    formula: Formula
    sentence_formula: Formula
    signature: str = ""

    def score(self) -> float:
        """The corpus score."""
        return float(self.formula(self.values.sum(axis=0, keepdims=True))[0])

    def scores(self, weights: Numbers) -> Numbers:
        """Scores of R samples that hold each sentence as often as ``weights`` ``[R, M]`` says."""
        return self.formula(weights @ self.values)

    def by_sentence(self) -> Numbers:
        """The score of each sentence alone, ``[M]``."""
        return self.sentence_formula(self.values)


def mean(sums: Numbers) -> Numbers:
    """Mean in percent: ``[R, 2]`` = (sum, count) -> ``[R]``."""
    return 100.0 * sums[:, 0] / np.maximum(sums[:, 1], 1.0)


def rate(sums: Numbers) -> Numbers:
    """Errors in percent of the reference's length: ``[R, 2]`` = (edits, length) -> ``[R]``.

    Against an empty reference each edit counts 100 %, as in jiwer.
    """
    return 100.0 * sums[:, 0] / np.where(sums[:, 1] > 0, sums[:, 1], 1.0)
