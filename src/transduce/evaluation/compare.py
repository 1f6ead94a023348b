"""Several systems on one test set: bootstrap intervals and paired significance.

Resampling follows Koehn (2004), "Statistical significance tests for machine
translation evaluation": test sets of the same size are drawn from the real one
with replacement, and every system is scored on the same draws.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from transduce.errors import ConfigError, DataError
from transduce.evaluation.by_part import means
from transduce.evaluation.tables import number, render_table
from transduce.metrics.known import METRICS
from transduce.metrics.scores import TextScores, score_texts
from transduce.metrics.statistics import Numbers, SentenceStatistics

__all__ = [
    "Comparison",
    "ComparisonRow",
    "Estimate",
    "Significance",
    "System",
    "bootstrap_scores",
    "compare_systems",
    "estimate",
    "render_parts",
    "significance",
]

Key = TypeVar("Key", bound=Hashable)

_SIGNIFICANT = 0.05
_CHUNK = 4_000_000  # weights held at once: 32 MB


@dataclass(frozen=True, slots=True)
class System:
    """What one model wrote for the test set, and what it cost."""

    name: str
    hypotheses: Sequence[str]
    parameters: int | None = None
    words_per_second: float | None = None
    sentences_per_second: float | None = None


@dataclass(frozen=True, slots=True)
class Significance:
    """How a system differs from the first one.

    ``difference`` = its score - the first one's. ``p_value`` (two-sided): how
    often a difference this large comes from drawing sentences alone.
    ``wins``: share of the draws on which it is better, ties counted half.
    """

    difference: float
    p_value: float
    wins: float


@dataclass(frozen=True, slots=True)
class Estimate:
    """A score on the whole test set with its bootstrap interval from ``low`` to ``high``."""

    score: float
    low: float
    high: float
    against_first: Significance | None = None


@dataclass(frozen=True, slots=True)
class ComparisonRow:
    """One system's line."""

    name: str
    parameters: int | None
    words_per_second: float | None
    sentences_per_second: float | None
    scores: dict[str, Estimate]


@dataclass(frozen=True, slots=True)
class Comparison:
    """All systems, the first one being what the others are held against."""

    rows: tuple[ComparisonRow, ...]
    metrics: tuple[str, ...]
    sentences: int
    resamples: int
    seed: int
    confidence: float
    signatures: dict[str, str]

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, texts, lists and mappings, ready for JSON."""
        return {
            "systems": [
                {
                    "name": row.name,
                    "parameters": row.parameters,
                    "words_per_second": row.words_per_second,
                    "sentences_per_second": row.sentences_per_second,
                    "metrics": {name: found.score for name, found in row.scores.items()},
                    "intervals": {
                        name: [found.low, found.high] for name, found in row.scores.items()
                    },
                    "against_first": {
                        name: {
                            "difference": found.against_first.difference,
                            "p_value": found.against_first.p_value,
                            "wins": found.against_first.wins,
                        }
                        for name, found in row.scores.items()
                        if found.against_first is not None
                    },
                }
                for row in self.rows
            ],
            "signatures": dict(self.signatures),
            "sentences": self.sentences,
            "resamples": self.resamples,
            "seed": self.seed,
            "confidence": self.confidence,
        }

    def table(self) -> str:
        """For the terminal: one line a system, then one a system and metric."""
        overview = [
            [
                row.name,
                _or_dash(row.parameters, ",d"),
                _or_dash(row.words_per_second, ",.0f"),
                *(_marked(row.scores[name], name) for name in self.metrics),
            ]
            for row in self.rows
        ]
        heads = [f"{name} {'↓' if METRICS[name].lower_is_better else '↑'}" for name in self.metrics]
        first = render_table(
            f"{self.sentences:,} sentences", ["system", "parameters", "words/s", *heads], overview
        )
        details = [
            [
                name if row is self.rows[0] else "",
                row.name,
                number(row.scores[name].score),
                f"{number(row.scores[name].low)} to {number(row.scores[name].high)}",
                *_against(row.scores[name].against_first),
            ]
            for name in self.metrics
            for row in self.rows
        ]
        columns = ["metric", "system", "score", f"{100 * self.confidence:g} % interval"]
        second = render_table(
            f"{self.resamples:,} bootstrap resamples, seed {self.seed}",
            [*columns, "difference", "p", "wins"],
            details,
            texts=2,
        )
        note = (
            f"+ better, - worse than {self.rows[0].name} with p < {_SIGNIFICANT:g}\n"
            if len(self.rows) > 1
            else ""
        )
        return f"{first}{note}\n{second}"


def render_parts(by_part: Mapping[str, Comparison]) -> str:
    """For the terminal: comparisons on the parts of a mixture, a line for each part and system."""
    first = next(iter(by_part.values()))
    # Parts may be measured by different metrics, each by what fits its targets.
    metrics = list(dict.fromkeys(name for found in by_part.values() for name in found.metrics))
    rows = [
        [
            "" if place else name,
            row.name,
            "" if place else f"{found.sentences:,}",
            *(_marked(row.scores[m], m) if m in row.scores else "-  " for m in metrics),
        ]
        for name, found in by_part.items()
        for place, row in enumerate(found.rows)
    ]
    for place, system in enumerate(first.rows):
        own = {
            name: {metric: found.score for metric, found in c.rows[place].scores.items()}
            for name, c in by_part.items()
        }
        cells = [f"{number(value)}  " for value in means(own).values()]
        rows.append(["" if place else "mean of parts", system.name, "", *cells])
    heads = [f"{name} {'↓' if METRICS[name].lower_is_better else '↑'}" for name in metrics]
    columns = ["part", "system", "sentences", *heads]
    note = f"+ better, - worse than {first.rows[0].name} with p < {_SIGNIFICANT:g}\n"
    return render_table("by part", columns, rows, texts=2) + note


def compare_systems(
    systems: Sequence[System],
    references: Sequence[Sequence[str]],
    metrics: Sequence[str],
    *,
    bleu_tokenizer: str = "13a",
    symbols: bool = False,
    resamples: int = 1000,
    seed: int = 1,
    confidence: float = 0.95,
) -> Comparison:
    """Score every system and hold all of them against the first.

    ``metrics``, ``bleu_tokenizer`` and ``symbols`` are those of :func:`score_texts`.
    Raises DataError for texts that do not fit each other, ConfigError for
    wrong options, two systems of one name or no metric of texts.
    """
    _check(systems, resamples, confidence)
    scores = {
        system.name: _scored(system, references, metrics, bleu_tokenizer, symbols)
        for system in systems
    }
    first = scores[systems[0].name]
    names = tuple(first.values)
    if not names:
        raise ConfigError(f"metrics must name at least one of texts; got {', '.join(metrics)}")
    statistics = {
        (system, name): statistic
        for system, found in scores.items()
        for name, statistic in found.statistics.items()
    }
    samples = bootstrap_scores(statistics, resamples, seed)
    rows = []
    for system in systems:
        estimates = {}
        for name in names:
            sample = samples[system.name, name]
            value = scores[system.name].values[name]
            against = None
            if system is not systems[0]:
                against = significance(
                    value,
                    first.values[name],
                    sample,
                    samples[systems[0].name, name],
                    lower_is_better=METRICS[name].lower_is_better,
                )
            estimates[name] = estimate(value, sample, confidence, against)
        rows.append(
            ComparisonRow(
                system.name,
                system.parameters,
                system.words_per_second,
                system.sentences_per_second,
                estimates,
            )
        )
    return Comparison(
        rows=tuple(rows),
        metrics=names,
        sentences=first.counts["sentences"],
        resamples=resamples,
        seed=seed,
        confidence=confidence,
        signatures=first.signatures,
    )


def bootstrap_scores(
    statistics: Mapping[Key, SentenceStatistics], resamples: int, seed: int
) -> dict[Key, Numbers]:
    """Scores ``[resamples]`` under each of the statistics, all on the same draws of sentences."""
    sentences = len(next(iter(statistics.values())).values)
    chunks: dict[Key, list[Numbers]] = {key: [] for key in statistics}
    for weights in _draws(sentences, resamples, seed):
        for key, found in statistics.items():
            chunks[key].append(found.scores(weights))
    return {key: np.concatenate(found) for key, found in chunks.items()}


def estimate(
    score: float, sample: Numbers, confidence: float = 0.95, against: Significance | None = None
) -> Estimate:
    """A score and the percentile interval of its bootstrap sample ``[R]``."""
    tail = (1.0 - confidence) / 2.0
    low, high = np.quantile(sample, [tail, 1.0 - tail])
    return Estimate(score, float(low), float(high), against)


def significance(
    score: float, first: float, sample: Numbers, first_sample: Numbers, *, lower_is_better: bool
) -> Significance:
    """Paired test of two systems scored on the same draws, ``[R]`` each.

    If the systems were equally good, differences would scatter around 0 as
    the drawn ones scatter around their own mean. Hence, after Riezler and
    Maxwell (2005), p = (1 + #{|d_r - mean d| >= |d|}) / (1 + R).
    """
    difference = score - first
    drawn = sample - first_sample
    # Rounding must not make two equal systems differ, nor a tie of counts be missed.
    slack = 1e-9 * (1.0 + abs(difference))
    extreme = np.abs(drawn - drawn.mean()) >= abs(difference) - slack
    gains = -drawn if lower_is_better else drawn
    wins = np.where(np.abs(gains) <= slack, 0.5, gains > 0).mean()
    return Significance(difference, float((1 + extreme.sum()) / (1 + len(drawn))), float(wins))


def _draws(sentences: int, resamples: int, seed: int) -> Iterator[Numbers]:
    """How often each draw holds each sentence, float64 ``[some, sentences]``, a chunk at a time."""
    generator = np.random.default_rng(seed)
    rows = max(1, _CHUNK // sentences)
    for start in range(0, resamples, rows):
        count = min(rows, resamples - start)
        drawn = generator.integers(0, sentences, size=(count, sentences))
        drawn += sentences * np.arange(count)[:, None]
        weights = np.bincount(drawn.ravel(), minlength=count * sentences)
        yield weights.reshape(count, sentences).astype(np.float64)


def _scored(
    system: System,
    references: Sequence[Sequence[str]],
    metrics: Sequence[str],
    bleu_tokenizer: str,
    symbols: bool,
) -> TextScores:
    try:
        return score_texts(
            system.hypotheses,
            references,
            metrics,
            bleu_tokenizer=bleu_tokenizer,
            symbols=symbols,
        )
    except DataError as error:
        raise DataError(f"{system.name}: {error}") from None


def _check(systems: Sequence[System], resamples: int, confidence: float) -> None:
    if not systems:
        raise ConfigError("systems must be at least one; got none")
    names = [system.name for system in systems]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ConfigError(f"names of systems must differ; got {twice!r} more than once")
    if resamples < 1:
        raise ConfigError(f"resamples must be at least 1; got {resamples}")
    if not 0 < confidence < 1:
        raise ConfigError(f"confidence must be between 0 and 1; got {confidence}")


def _marked(found: Estimate, metric: str) -> str:
    """The score with + or - behind it where it is significantly better or worse."""
    against = found.against_first
    if against is None or against.p_value >= _SIGNIFICANT:
        return f"{number(found.score)}  "
    better = (against.difference < 0) == METRICS[metric].lower_is_better
    return f"{number(found.score)} {'+' if better else '-'}"


def _against(found: Significance | None) -> list[str]:
    if found is None:
        return ["", "", ""]
    return [f"{found.difference:+.2f}", f"{found.p_value:.3f}", f"{100 * found.wins:.0f} %"]


def _or_dash(value: float | None, spec: str) -> str:
    return "-" if value is None else format(value, spec)
