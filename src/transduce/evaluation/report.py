"""What ``evaluate`` says: scores, scores by length, the worst cases; as a table and as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from transduce.errors import ConfigError, DataError
from transduce.evaluation.tables import number, render_table, score
from transduce.metrics.known import METRICS, finest, values_of_model
from transduce.metrics.losses import LossTotals
from transduce.metrics.scores import TextScores

__all__ = [
    "EvaluationReport",
    "LengthBucket",
    "WorstCase",
    "make_report",
    "score_by_length",
    "worst_cases",
]


@dataclass(frozen=True, slots=True)
class LengthBucket:
    """Scores of the sentences whose source has ``shortest`` to ``longest`` units."""

    shortest: int
    longest: int
    sentences: int
    values: dict[str, float]


@dataclass(frozen=True, slots=True)
class WorstCase:
    """One sentence, its place in the test set (from 0) and its own score under ``metric``."""

    index: int
    source: str
    hypothesis: str
    references: tuple[str, ...]
    metric: str
    score: float


@dataclass(frozen=True, slots=True)
class EvaluationReport:
    """One model on one test set. ``metrics`` are named and scaled as in ``metrics/known.py``."""

    metrics: dict[str, float]
    signatures: dict[str, str]
    counts: dict[str, int]
    seconds: float
    by_length: tuple[LengthBucket, ...] = ()
    worst: tuple[WorstCase, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, texts, lists and mappings, ready for JSON."""
        return {
            "metrics": dict(self.metrics),
            "signatures": dict(self.signatures),
            "counts": dict(self.counts),
            "seconds": self.seconds,
            "by_length": [
                {
                    "shortest": bucket.shortest,
                    "longest": bucket.longest,
                    "sentences": bucket.sentences,
                    "metrics": dict(bucket.values),
                }
                for bucket in self.by_length
            ],
            "worst": [
                {
                    "index": case.index,
                    "source": case.source,
                    "hypothesis": case.hypothesis,
                    "references": list(case.references),
                    "metric": case.metric,
                    "score": case.score,
                }
                for case in self.worst
            ],
        }

    def table(self) -> str:
        """For the terminal: scores, then scores by length, then the worst cases."""
        counts = ", ".join(
            f"{count:,} {name.replace('_', ' ')}" for name, count in self.counts.items()
        )
        rows = [
            [name, score(name, value), METRICS[name].unit] for name, value in self.metrics.items()
        ]
        title = f"{counts}, {self.seconds:.1f} s"
        blocks = [render_table(title, ["metric", "score", "unit"], rows)]
        if self.signatures:
            signatures = [f" {name:9}{text}\n" for name, text in self.signatures.items()]
            blocks.append("".join(signatures))
        if self.by_length:
            names = list(self.by_length[0].values)
            lengths = [
                [
                    _span(bucket),
                    f"{bucket.sentences:,}",
                    *(number(bucket.values[name], 1) for name in names),
                ]
                for bucket in self.by_length
            ]
            blocks.append(render_table("by source length", ["length", "count", *names], lengths))
        if self.worst:
            blocks.append(self.worst_list())
        return "\n".join(blocks)

    def worst_list(self) -> str:
        """For the terminal: the worst cases, one block a sentence."""
        return _worst_list(self.worst)


def make_report(
    scores: TextScores,
    *,
    seconds: float,
    losses: LossTotals | None = None,
    lengths: Sequence[int] | None = None,
    worst: Sequence[WorstCase] = (),
    counts: Mapping[str, int] | None = None,
) -> EvaluationReport:
    """Put a report together, model-based scores first.

    ``lengths`` (of the sources) asks for scores by length; ``counts`` are
    added to those of the texts.
    """
    return EvaluationReport(
        metrics={**(values_of_model(losses) if losses else {}), **scores.values},
        signatures=dict(scores.signatures),
        counts={
            **scores.counts,
            **({"target_tokens": losses.tokens} if losses else {}),
            **(counts or {}),
        },
        seconds=seconds,
        by_length=() if lengths is None else score_by_length(scores, lengths),
        worst=tuple(worst),
    )


def score_by_length(
    scores: TextScores, lengths: Sequence[int], *, buckets: int = 5
) -> tuple[LengthBucket, ...]:
    """Scores of short sources apart from long ones.

    ``lengths`` has one number a sentence (tokens or characters). At most
    ``buckets`` groups, cut at quantiles so that they are about equally large;
    equal lengths stay together. Raises DataError where lengths are too few or
    too many, ConfigError for fewer than one bucket.
    """
    if buckets < 1:
        raise ConfigError(f"buckets must be at least 1; got {buckets}")
    sentences = scores.counts["sentences"]
    if len(lengths) != sentences:
        raise DataError(f"lengths must be as many as sentences ({sentences}); got {len(lengths)}")
    array = np.asarray(lengths, dtype=np.int64)
    inner = np.linspace(0, 1, buckets + 1)[1:-1]
    edges = np.unique(np.quantile(array, inner, method="inverted_cdf"))
    owner = np.searchsorted(edges, array, side="left")
    result = []
    for bucket in np.unique(owner):
        inside = owner == bucket
        weights = inside[None, :].astype(np.float64)
        values = {
            name: float(found.scores(weights)[0]) for name, found in scores.statistics.items()
        }
        here = array[inside]
        result.append(LengthBucket(int(here.min()), int(here.max()), int(inside.sum()), values))
    return tuple(result)


def worst_cases(
    scores: TextScores,
    sources: Sequence[str],
    hypotheses: Sequence[str],
    references: Sequence[Sequence[str]],
    *,
    count: int = 20,
    metric: str | None = None,
) -> tuple[WorstCase, ...]:
    """The sentences with the worst scores of their own, worst first, ties in corpus order.

    ``metric`` is one of those measured; none: the one among them that grades
    sentences most finely. Raises DataError for texts of other numbers than
    were scored, ConfigError for a metric that was not measured.
    """
    sentences = scores.counts["sentences"]
    given = (("sources", sources), ("hypotheses", hypotheses), ("references", references))
    for name, texts in given:
        if len(texts) != sentences:
            raise DataError(
                f"{name} must be as many as were scored ({sentences}); got {len(texts)}"
            )
    if metric is None:
        metric = finest(scores.statistics)
    if metric is None or metric not in scores.statistics:
        measured = ", ".join(scores.statistics) or "none"
        raise ConfigError(f"metric of the worst cases must be measured ({measured}); got {metric}")
    by_sentence = scores.statistics[metric].by_sentence()
    badness = by_sentence if METRICS[metric].lower_is_better else -by_sentence
    order = np.argsort(-badness, kind="stable")[:count]
    return tuple(
        WorstCase(
            index=int(index),
            source=sources[index],
            hypothesis=hypotheses[index],
            references=tuple(references[index]),
            metric=metric,
            score=float(by_sentence[index]),
        )
        for index in order
    )


def _worst_list(worst: Sequence[WorstCase]) -> str:
    """One block a sentence: texts may be long, so they stand under each other."""
    lines = [f"worst by {worst[0].metric}", ""]
    for case in worst:
        lines.append(f"#{case.index + 1}  {case.metric} {number(case.score, 1)}")
        lines.append(f"  source      {case.source}")
        lines.append(f"  hypothesis  {case.hypothesis}")
        lines += [f"  reference   {reference}" for reference in case.references]
    return "\n".join(lines) + "\n"


def _span(bucket: LengthBucket) -> str:
    if bucket.shortest == bucket.longest:
        return str(bucket.shortest)
    return f"{bucket.shortest}-{bucket.longest}"
