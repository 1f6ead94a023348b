"""How good a confidence is: as a table, as JSON, and the numbers of a picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transduce.confidence.quality import area_under_roc, calibration_error, correlation, risks
from transduce.evaluation.tables import render_table

__all__ = ["ConfidenceReport", "report_confidence"]

_SHARES = (0.5, 0.7, 0.8, 0.9, 0.95, 1.0)  # coverages of the table
_POINTS = 200  # of the curve that is kept


@dataclass(frozen=True, eq=False)
class ConfidenceReport:
    """Of M outputs and their words. ``kind`` is what the confidence is about (``Confidence``).

    ``area`` is that under the ROC curve (right against wrong), NaN for a kind that is not yes or
    no; ``correlation`` is Spearman's with how right an output is. What is ``raw`` is that of the
    log-probability alone: its sum or its mean over tokens, whichever ranks better. ``error`` is the
    expected calibration error, 0 to 1. ``risk[n - 1]`` is the mean of what is wrong among the n
    surest outputs, ``raw_risk`` the same by log-probability.
    """

    kind: str
    count: int
    mean: float
    mean_quality: float
    area: float
    raw_area: float
    correlation: float
    raw_correlation: float
    pearson: float
    raw_pearson: float
    error: float
    words: int
    word_area: float
    word_error: float
    risk: NDArray[np.float64]
    raw_risk: NDArray[np.float64]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON; a figure that there is not is None."""
        places = np.unique(np.linspace(0, self.count - 1, min(self.count, _POINTS)).astype(int))
        return {
            "of": self.kind,
            "outputs": self.count,
            "mean": self.mean,
            "mean_quality": self.mean_quality,
            "area_under_roc": _known(self.area),
            "area_under_roc_of_log_probability": _known(self.raw_area),
            "correlation": _known(self.correlation),
            "correlation_of_log_probability": _known(self.raw_correlation),
            "pearson": _known(self.pearson),
            "pearson_of_log_probability": _known(self.raw_pearson),
            "calibration_error": self.error,
            "words": self.words,
            "word_area_under_roc": _known(self.word_area),
            "word_calibration_error": _known(self.word_error),
            "risk_at_coverage": [
                [(place + 1) / self.count, float(self.risk[place])] for place in places.tolist()
            ],
        }

    def table(self) -> str:
        """For the terminal."""
        right = self.kind == "right"
        rows = [
            ["mean confidence", _percent(self.mean), ""],
            ["right" if right else "mean chrF", _percent(self.mean_quality), ""],
            ["calibration error", _percent(self.error), ""],
        ]
        if right:
            rows.append(["area under the ROC curve", _plain(self.area), _plain(self.raw_area)])
        rows += [
            ["correlation (Spearman)", _plain(self.correlation), _plain(self.raw_correlation)],
            ["correlation (Pearson)", _plain(self.pearson), _plain(self.raw_pearson)],
            ["words: area under the ROC curve", _plain(self.word_area), ""],
            ["words: calibration error", _percent(self.word_error), ""],
        ]
        what = "wrong" if right else "short of chrF 100"
        for share in _SHARES:
            place = max(0, math.ceil(share * self.count) - 1)
            pair = self.risk[place], self.raw_risk[place]
            rows.append([f"{what} among the surest {share:.0%}", *map(_percent, pair)])
        title = f"confidence in {self.count:,} outputs, {self.words:,} words"
        return render_table(title, ["figure", "confidence", "log-probability"], rows)


def report_confidence(
    kind: str,
    confidences: Sequence[float],
    quality: NDArray[np.float64],
    log_probabilities: tuple[Sequence[float], Sequence[float]],
    words: tuple[Sequence[float], Sequence[bool]],
) -> ConfidenceReport:
    """Measure. ``log_probabilities`` are the outputs' own and their means over tokens; ``words``
    are confidences of all words and whether each was right.
    """
    sure, right = words
    yes_or_no = kind == "right"
    raw = max(log_probabilities, key=lambda own: correlation(own, quality, ranks=True))
    return ConfidenceReport(
        kind=kind,
        count=len(confidences),
        mean=float(np.mean(confidences)),
        mean_quality=float(quality.mean()),
        area=area_under_roc(confidences, quality) if yes_or_no else float("nan"),
        raw_area=area_under_roc(raw, quality) if yes_or_no else float("nan"),
        correlation=correlation(confidences, quality, ranks=True),
        raw_correlation=correlation(raw, quality, ranks=True),
        pearson=correlation(confidences, quality),
        raw_pearson=correlation(raw, quality),
        error=calibration_error(confidences, quality),
        words=len(sure),
        word_area=area_under_roc(sure, right),
        word_error=calibration_error(sure, right) if len(sure) else float("nan"),
        risk=risks(confidences, quality),
        raw_risk=risks(raw, quality),
    )


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def _percent(value: float) -> str:
    return "-" if math.isnan(value) else f"{100 * value:.2f} %"


def _plain(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.3f}"
