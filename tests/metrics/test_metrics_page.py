"""The examples of docs/metrics.md give what the page says."""

from __future__ import annotations

import doctest
from pathlib import Path

from transduce.config import Config
from transduce.metrics.known import METRICS, metrics_for

PAGE = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text(encoding="utf-8")


def test_examples_run() -> None:
    test = doctest.DocTestParser().get_doctest(PAGE, {}, "metrics.md", None, 0)
    assert len(test.examples) >= 10
    report: list[str] = []
    result = doctest.DocTestRunner(verbose=False).run(test, out=report.append)
    assert result.failed == 0, "".join(report)


TEXT_METRICS = [name for name, metric in METRICS.items() if not metric.needs_model]
UNITS = {"%": "%", "of 100": "0–100", "nats/token": "nats a token", "": ""}


def test_every_metric_has_its_line() -> None:
    rows = [[cell.strip() for cell in row.split("|")[1:-1]] for row in PAGE.splitlines()]
    table = {name: row for row in rows if len(row) == 5 for name in row[0].split(", ")}
    for name, metric in METRICS.items():
        _, _, unit, better, _ = table[f"`{name}`"]
        assert unit == UNITS[metric.unit]
        assert better == ("lower" if metric.lower_is_better else "higher")


def measured(kind: str) -> tuple[str, ...]:
    return metrics_for(Config().updated({"tokenizer.target.kind": kind}).targets)


def test_defaults_are_as_the_page_says() -> None:
    for kinds in (["whitespace"], ["character"], ["word", "bpe", "unigram", "byte"]):
        line = next(row for row in PAGE.splitlines() if row.startswith(f"| `{kinds[0]}`"))
        named = [name for name in TEXT_METRICS if f"`{name}`" in line.split("|")[2]]
        for kind in kinds:
            assert f"`{kind}`" in line
            assert set(measured(kind)[3:]) == set(named)
