"""Scores by length, worst cases, the report as JSON and as a table."""

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from transduce.errors import ConfigError, DataError
from transduce.evaluation.report import make_report, score_by_length, worst_cases
from transduce.evaluation.tables import number, render_table, wrapped
from transduce.metrics.losses import LossTotals
from transduce.metrics.scores import TextScores, score_texts

HYPOTHESES = ["a", "b x", "c c c", "d d d x"]
REFERENCES = [["a"], ["b b"], ["c c c"], ["d d d d", "y"]]
LENGTHS = [1, 2, 3, 4]


def scored(*metrics: str) -> TextScores:
    return score_texts(HYPOTHESES, REFERENCES, metrics or ("exact_match", "wer", "chrf"))


def test_buckets_are_scored_as_their_own_test_sets() -> None:
    short, long = score_by_length(scored(), LENGTHS, buckets=2)
    assert (short.shortest, short.longest, short.sentences) == (1, 2, 2)
    assert (long.shortest, long.longest, long.sentences) == (3, 4, 2)
    alone = score_texts(HYPOTHESES[:2], REFERENCES[:2], ["exact_match", "wer", "chrf"])
    assert short.values == pytest.approx(alone.values)
    assert long.values["wer"] == pytest.approx(100 / 7)


@given(st.lists(st.integers(0, 30), min_size=1, max_size=40), st.integers(1, 7))
def test_buckets_hold_every_sentence_once(lengths: list[int], count: int) -> None:
    texts = ["a"] * len(lengths)
    scores = score_texts(texts, [[text] for text in texts], ["exact_match"])
    buckets = score_by_length(scores, lengths, buckets=count)
    assert sum(bucket.sentences for bucket in buckets) == len(lengths)
    assert len(buckets) <= count
    spans = [(bucket.shortest, bucket.longest) for bucket in buckets]
    assert spans == sorted(spans)
    assert all(below[1] < above[0] for below, above in pairwise(spans))
    for bucket in buckets:
        inside = [bucket.shortest <= length <= bucket.longest for length in lengths]
        assert sum(inside) == bucket.sentences


def test_buckets_are_about_equal() -> None:
    texts = ["a"] * 1000
    scores = score_texts(texts, [[text] for text in texts], ["exact_match"])
    lengths = np.random.default_rng(0).permutation(1000).tolist()
    sizes = [bucket.sentences for bucket in score_by_length(scores, lengths, buckets=5)]
    assert sizes == pytest.approx([200] * 5, abs=1)


def test_wrong_lengths() -> None:
    with pytest.raises(DataError, match=r"lengths must be as many as sentences \(4\); got 2"):
        score_by_length(scored(), [1, 2])
    with pytest.raises(ConfigError, match="buckets must be at least 1; got 0"):
        score_by_length(scored(), LENGTHS, buckets=0)


def test_worst_come_first_and_ties_in_order() -> None:
    sources = ["s0", "s1", "s2", "s3"]
    cases = worst_cases(scored("wer"), sources, HYPOTHESES, REFERENCES, count=3)
    assert [case.index for case in cases] == [1, 3, 0]
    assert [case.score for case in cases] == pytest.approx([50, 25, 0])
    assert cases[1].source == "s3"
    assert cases[1].references == ("d d d d", "y")
    cases = worst_cases(scored(), sources, HYPOTHESES, REFERENCES, metric="exact_match")
    assert [case.index for case in cases] == [1, 3, 0, 2]
    assert worst_cases(scored(), sources, HYPOTHESES, REFERENCES, count=0) == ()


def test_worst_by_the_metric_that_grades_best() -> None:
    assert worst_cases(scored(), LENGTHS, HYPOTHESES, REFERENCES)[0].metric == "chrf"  # type: ignore[arg-type]


def test_worst_of_wrong_things() -> None:
    with pytest.raises(DataError, match=r"sources must be as many as were scored \(4\); got 1"):
        worst_cases(scored(), ["a"], HYPOTHESES, REFERENCES)
    with pytest.raises(ConfigError, match=r"must be measured \(wer\); got bleu"):
        worst_cases(scored("wer"), HYPOTHESES, HYPOTHESES, REFERENCES, metric="bleu")
    with pytest.raises(ConfigError, match=r"must be measured \(none\); got None"):
        worst_cases(scored("loss"), HYPOTHESES, HYPOTHESES, REFERENCES)


def test_report_as_json() -> None:
    scores = scored("exact_match", "bleu")
    worst = worst_cases(scores, HYPOTHESES, HYPOTHESES, REFERENCES, count=1)
    report = make_report(
        scores,
        seconds=1.5,
        losses=LossTotals(4.0, 8, 6),
        lengths=LENGTHS,
        worst=worst,
        counts={"source_tokens": 10},
    )
    values = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert list(values["metrics"]) == [
        "loss",
        "perplexity",
        "token_accuracy",
        "exact_match",
        "bleu",
    ]
    assert values["metrics"]["token_accuracy"] == 75
    assert values["signatures"].keys() == {"bleu"}
    assert values["counts"] == {
        "sentences": 4,
        "references": 5,
        "target_tokens": 8,
        "source_tokens": 10,
    }
    assert values["seconds"] == 1.5
    assert sum(bucket["sentences"] for bucket in values["by_length"]) == 4
    assert values["worst"][0]["hypothesis"] == "b x"


def test_report_as_table() -> None:
    scores = scored("exact_match", "bleu")
    worst = worst_cases(scores, ["[red]:cat:"] * 4, HYPOTHESES, REFERENCES, count=1)
    report = make_report(
        scores, seconds=1.5, losses=LossTotals(4.0, 8, 6), lengths=LENGTHS, worst=worst
    )
    lines = report.table().splitlines()
    assert lines[0] == "4 sentences, 5 references, 8 target tokens, 1.5 s"
    assert any(line.split() == ["loss", "0.5000", "nats/token"] for line in lines)
    assert any(line.split() == ["exact_match", "50.00", "%"] for line in lines)
    assert any("nrefs:var" in line for line in lines)
    assert "by source length" in lines
    assert "  source      [red]:cat:" in lines  # no markup is read from people's texts
    assert max(map(len, lines)) <= 100
    assert "by source length" not in make_report(scores, seconds=1.0).table()


def test_tables_are_never_wrapped() -> None:
    name = "[b]" + 60 * "我x" + ":smile:"
    lines = render_table("title", ["name", "n"], [[name, "1"], ["b", "22"]]).splitlines()
    assert lines[0] == "title"
    assert any(name in line and line.endswith(" 1") for line in lines)


@pytest.mark.parametrize("width", [40, 80])
def test_tables_on_a_terminal_keep_to_its_width(
    width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    columns = ["source", "the model says", "the data says", "chrF", "BLEU"]
    rows = [["我" * 30, "x" * 60, "bet", "12.34", "0.5"], ["a", "bc", "d", "100.00", "27.25"]]
    monkeypatch.setenv("COLUMNS", str(width))
    full = render_table("title", columns, rows, texts=3)
    assert rows[0][0] in full  # no terminal: whole
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    shown = render_table("title", columns, rows, texts=3)
    assert max(map(cell_len, shown.splitlines())) <= width
    assert all(text in shown for text in ("12.34", "0.5", "100.00", "27.25", "bet", "bc"))
    assert all(column in shown for column in columns[1:])
    assert "xxxxxx" in shown
    assert "我" in shown
    assert shown.count("x") == (60 if width == 80 else 19)
    # cells below each other where columns do not fit
    assert ("  BLEU            0.5" in shown) == (width == 40)
    long = render_table("", ["", "value"], [["a reason", "why " * 30]], texts=2).split("\n")
    assert sum("why" in line for line in long) == (4 if width == 40 else 2)
    histogram = "\n".join(["  3 " + "█" * 40 + " 63", "word vocabulary: " + "abc 1  " * 20])
    lines = wrapped(histogram).splitlines()
    assert max(map(len, lines)) <= width
    assert lines[0].count("█") == (12 if width == 40 else 40)
    assert wrapped(histogram).count("abc") == 20
    again = render_table("", ["metric", "n" * 30], [["a" * 9, "1"], ["", "2"]], width=20)
    assert again.count("\n\n") == 2
    assert "\n\n\n" not in again
    small = render_table("title", ["name", "n"], [["a", "1"]])
    assert small == render_table("title", ["name", "n"], [["a", "1"]], width=1000)


@pytest.mark.parametrize(
    ("value", "text"), [(1.234, "1.23"), (0.0, "0.00"), (1.5e300, "1.50e+300")]
)
def test_numbers(value: float, text: str) -> None:
    assert number(value) == text
