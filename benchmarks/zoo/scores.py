"""Scores as tables and cards write them."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.zoo.results import Result, Results, Scores
from benchmarks.zoo.rows import Row
from transduce.metrics.known import METRICS

__all__ = ["number", "over_seeds", "reported", "summary"]

_FEW = 3  # parts of a mixture whose scores stand in the line, too


def number(metric: str, value: float) -> str:
    """A value as its metric is quoted: two digits, and % where it is a share."""
    return f"{value:.2f} %" if METRICS[metric].unit == "%" else f"{value:.2f}"


def reported(result: Result) -> Scores | None:
    """What stands in the table: float32 on test, on dev where there is no test; else none."""
    scores = result.test or result.dev
    return scores.get("float32") or next(iter(scores.values()), None)


def summary(row: Row, result: Result, note: Callable[[str], str], seeds: str = "") -> str:
    """The shown scores, those of few parts, then dev's, and what else is to be said, such as the
    scores of other ``seeds``; ``note`` gives the mark of a footnote.
    """
    scores = reported(result)
    if scores is None:
        return result.remark
    pieces = [
        f"{label} {number(metric, scores.metrics[metric])}{_signed(scores, metric, note)}"
        for metric, label in row.scores.items()
        if metric in scores.metrics
    ]
    if scores.parts and len(scores.parts) <= _FEW:
        own = [f"{name} {one[row.metric]:.2f}" for name, one in scores.parts.items()]
        pieces[0] += f" (mean; {', '.join(own)})"
    text = ", ".join(pieces)
    dev = result.dev.get("float32")
    if result.test and dev is not None and row.metric in dev.metrics:
        text += f" (dev {number(row.metric, dev.metrics[row.metric])})"
    return "; ".join(filter(None, [text, seeds, row.remark, result.remark]))


def over_seeds(row: Row, results: Results) -> str:
    """The deciding score of each seed that was measured, where there are several; else nothing."""
    measured = [one for one in (row, *row.of_seeds()) if one.name in results]
    scores = [reported(results[one.name]) for one in measured]
    if len(scores) < 2:
        return ""
    values = [f"{one.metrics[row.metric]:.2f}" for one in scores if one is not None]
    seeds = ", ".join(str(one.seed) for one in measured)
    return f"seeds {seeds}: {', '.join(values)}"


def _signed(scores: Scores, metric: str, note: Callable[[str], str]) -> str:
    """A footnote with sacrebleu's signature, which says how BLEU was counted."""
    if metric != "bleu" or metric not in scores.signatures:
        return ""
    return note(f"`{scores.signatures[metric]}`")
