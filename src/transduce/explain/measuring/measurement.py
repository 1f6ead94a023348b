"""How far each method can be believed: figures of several, held against a random order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from transduce.evaluation.compare import Estimate, bootstrap_scores, estimate, significance
from transduce.evaluation.tables import render_table
from transduce.explain.measuring.faithfulness import FRACTIONS, WAYS, Faithfulness
from transduce.metrics.statistics import SentenceStatistics, mean

__all__ = ["RANDOM", "Measurement", "MeasurementRow", "compare_methods"]

RANDOM = "random order"
_SIGNIFICANT = 0.05


@dataclass(frozen=True)
class MeasurementRow:
    """One method: its figures in percentage points of probability, by name, and its curves.

    ``curves`` are by ``comprehensiveness, mask`` and so on, a number for each of the fractions.
    ``seconds`` are of one source, ``figures`` the largest of what the method says of itself.
    """

    method: str
    scores: Mapping[str, Estimate]
    curves: Mapping[str, tuple[float, ...]]
    seconds: float
    figures: Mapping[str, float]


@dataclass(frozen=True)
class Measurement:
    """All methods, the most faithful first; ``refused`` says why others are not among them."""

    rows: tuple[MeasurementRow, ...]
    sources: int
    resamples: int
    seed: int
    refused: Mapping[str, str]

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, texts, lists and mappings, ready for JSON."""
        return {
            "sources": self.sources,
            "resamples": self.resamples,
            "seed": self.seed,
            "fractions": list(FRACTIONS),
            "methods": [
                {
                    "method": row.method,
                    "seconds": row.seconds,
                    "figures": dict(row.figures),
                    "scores": {name: _plain(found) for name, found in row.scores.items()},
                    "curves": {name: list(curve) for name, curve in row.curves.items()},
                }
                for row in self.rows
            ],
            "refused": dict(self.refused),
        }

    def table(self) -> str:
        """For the terminal, with what was refused below."""
        names = [f"{kind}, {way}" for way in WAYS for kind in ("comprehensiveness", "sufficiency")]
        rows = []
        for row in self.rows:
            found = row.scores["faithfulness"]
            against = found.against_first
            rows.append(
                [
                    row.method,
                    f"{found.score:.1f}",
                    f"{found.low:.1f} to {found.high:.1f}",
                    "-" if against is None else f"{against.p_value:.3f}",
                    *(f"{row.scores[name].score:.1f}" for name in names),
                    f"{row.seconds:.3f}",
                    _gap(row.figures),
                ]
            )
        heads = [f"{kind} {way}" for way in WAYS for kind in ("without ↑", "alone ↓")]
        columns = ["method", "faithful ↑", "95 % interval", "p", *heads, "s", "gap"]
        title = (
            f"{self.sources:,} sources, percentage points of probability, p against a "
            f"random order ({self.resamples:,} bootstrap resamples, seed {self.seed})"
        )
        refused = "".join(f"{name}: {why}\n" for name, why in self.refused.items())
        return render_table(title, columns, rows) + refused


def _gap(figures: Mapping[str, float]) -> str:
    gap = figures.get("completeness_gap")
    return "" if gap is None else f"{100 * gap:.2f} %"


def _plain(found: Estimate) -> dict[str, float]:
    own = {"score": found.score, "low": found.low, "high": found.high}
    if found.against_first is None:
        return own
    return {
        **own,
        "difference": found.against_first.difference,
        "p_value": found.against_first.p_value,
    }


def compare_methods(
    found: Mapping[str, Sequence[Faithfulness]],
    seconds: Mapping[str, float],
    figures: Mapping[str, Mapping[str, float]],
    refused: Mapping[str, str],
    *,
    resamples: int = 1000,
    seed: int = 1,
) -> Measurement:
    """Hold each method's figures of the same sources against those of :data:`RANDOM`.

    Paired bootstrap over sources (Koehn 2004), as :mod:`transduce.evaluation.compare` has it.
    """
    numbers = {name: [own.numbers() for own in each] for name, each in found.items()}
    names = list(numbers[RANDOM][0])
    statistics = {
        (method, name): _statistics([own[name] for own in each])
        for method, each in numbers.items()
        for name in names
    }
    samples = bootstrap_scores(statistics, resamples, seed)
    rows = []
    for method, each in found.items():
        scores = {}
        for name in names:
            value = statistics[method, name].score()
            against = None
            if method != RANDOM:
                against = significance(
                    value,
                    statistics[RANDOM, name].score(),
                    samples[method, name],
                    samples[RANDOM, name],
                    lower_is_better=name.startswith("sufficiency"),
                )
            scores[name] = estimate(value, samples[method, name], against=against)
        rows.append(
            MeasurementRow(
                method, scores, _curves(each), seconds.get(method, 0.0), figures.get(method, {})
            )
        )
    rows.sort(key=lambda row: -row.scores["faithfulness"].score)
    sources = len(found[RANDOM])
    return Measurement(tuple(rows), sources, resamples, seed, dict(refused))


def _statistics(values: Sequence[float]) -> SentenceStatistics:
    both = np.stack([np.array(values), np.ones(len(values))], axis=1)
    return SentenceStatistics(both, mean, mean)


def _curves(each: Sequence[Faithfulness]) -> dict[str, tuple[float, ...]]:
    found = {}
    for way in WAYS:
        for kind in ("comprehensiveness", "sufficiency"):
            stacked = np.stack([getattr(own, kind)[way].numpy() for own in each])
            found[f"{kind}, {way}"] = tuple((100 * stacked.mean(0)).tolist())
    return found
