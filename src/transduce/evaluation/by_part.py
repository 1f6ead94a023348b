"""Scores of the parts of a mixture: their means, their names side by side, their table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from transduce.evaluation.tables import render_table, score

__all__ = ["joined", "means", "parted", "table_by_part"]

_BETWEEN = "/"  # in the name of one part's score: wer/ice


def means(by_part: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """The mean of each score over the parts that have it: all parts count alike, large or small."""
    names = dict.fromkeys(name for values in by_part.values() for name in values)
    found = {}
    for name in names:
        values = [scores[name] for scores in by_part.values() if name in scores]
        found[name] = sum(values) / len(values)
    return found


def joined(by_part: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Means under their plain names, then each part's scores as ``NAME/PART``."""
    own = {
        f"{name}{_BETWEEN}{part}": value
        for part, values in by_part.items()
        for name, value in values.items()
    }
    return {**means(by_part), **own}


def parted(scores: Mapping[str, float]) -> tuple[dict[str, float], dict[str, dict[str, float]]]:
    """What :func:`joined` put together: the means, and each part's scores by its name."""
    overall: dict[str, float] = {}
    by_part: dict[str, dict[str, float]] = {}
    for key, value in scores.items():
        name, between, part = key.partition(_BETWEEN)
        if between:
            by_part.setdefault(part, {})[name] = value
        else:
            overall[name] = value
    return overall, by_part


def table_by_part(
    title: str,
    by_part: Mapping[str, Mapping[str, float]],
    counts: Mapping[str, int] | None = None,
    names: Sequence[str] | None = None,
) -> str:
    """For the terminal: one line a part, then their mean; ``counts`` are of sentences."""
    overall = means(by_part)
    shown = list(overall) if names is None else [name for name in names if name in overall]
    rows = [
        [part, *([f"{counts[part]:,}"] if counts else []), *(_cell(values, n) for n in shown)]
        for part, values in by_part.items()
    ]
    total = [f"{sum(counts.values()):,}"] if counts else []
    rows.append(["mean of parts", *total, *(_cell(overall, name) for name in shown)])
    columns = ["part", *(["sentences"] if counts else []), *shown]
    return render_table(title, columns, rows)


def _cell(values: Mapping[str, float], name: str) -> str:
    return score(name, values[name]) if name in values else "-"
