"""The examples of docs/metrics.md give what the page says."""

from __future__ import annotations

import doctest
from pathlib import Path

from transduce.evaluation.metrics import TEXT_METRICS, default_metrics

PAGE = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text(encoding="utf-8")


def test_examples_run() -> None:
    test = doctest.DocTestParser().get_doctest(PAGE, {}, "metrics.md", None, 0)
    assert len(test.examples) >= 10
    report: list[str] = []
    result = doctest.DocTestRunner(verbose=False).run(test, out=report.append)
    assert result.failed == 0, "".join(report)


def test_every_metric_has_its_line() -> None:
    for name in TEXT_METRICS:
        assert f"`{name}`" in PAGE


def test_defaults_are_as_the_page_says() -> None:
    for kinds in (["whitespace"], ["character"], ["word", "bpe", "unigram", "byte"]):
        line = next(row for row in PAGE.splitlines() if row.startswith(f"| `{kinds[0]}`"))
        named = [name for name in TEXT_METRICS if f"`{name}`" in line.split("|")[2]]
        for kind in kinds:
            assert f"`{kind}`" in line
            assert set(default_metrics(kind)[3:]) == set(named)  # type: ignore[arg-type]
