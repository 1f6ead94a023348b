"""Alignments from the command line, in every form, and where there are none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from command_line import call, feed
from reversal_run import Run

Patch, Capture = pytest.MonkeyPatch, pytest.CaptureFixture[str]


def pairs(text: str) -> list[list[int]]:
    return [[*map(int, pair.split("-"))] for pair in text.split()]


def test_pairs_stand_beside_each_output(run: Run, monkeypatch: Patch, capsys: Capture) -> None:
    command = "predict", run.folder, "engine=reference", "--alignments"
    options = "--beam", "2", "--nbest", "2"
    feed(monkeypatch, "abc\n\n")
    assert call(monkeypatch, *command, *options, "--format", "jsonl") == 0
    first, blank = map(json.loads, capsys.readouterr().out.splitlines())
    for output in first["hypotheses"]:
        assert [target for _, target in output["alignments"]] == [*range(len(output["text"]))]
        assert all(0 <= source < 3 for source, _ in output["alignments"])
    assert "alignments" not in blank["hypotheses"][0]
    feed(monkeypatch, "abc\n\n")
    assert call(monkeypatch, *command, *options) == 0
    line, empty = capsys.readouterr().out.splitlines()
    cells = line.split("\t")
    assert cells[::2] == [output["text"] for output in first["hypotheses"]]
    assert [*map(pairs, cells[1::2])] == [o["alignments"] for o in first["hypotheses"]]
    assert empty == "\t"
    feed(monkeypatch, "abc\n")
    assert call(monkeypatch, *command, "--format", "csv") == 0
    head, row = capsys.readouterr().out.splitlines()
    assert head == "source,output,alignments,error"
    assert pairs(row.split(",")[2]) == first["hypotheses"][0]["alignments"]


def test_by_replacement_they_need_no_flag(run: Run, monkeypatch: Patch, capsys: Capture) -> None:
    feed(monkeypatch, "abc\n")
    assert call(monkeypatch, "predict", run.folder, "--align-by", "replacement") == 0
    assert capsys.readouterr().out == "cba\t2-0 1-1 0-2\n"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--alignments", "--format", "srt"], "--alignments must be asked for with --format jsonl"),
        (["--alignments", "--column", "text"], "--alignments must be asked for without --column"),
        (["--alignments", "--ensemble", "B"], "--alignments must be asked of one model"),
    ],
)
def test_where_they_have_no_place(
    options: list[str], message: str, monkeypatch: Patch, capsys: Capture
) -> None:
    assert call(monkeypatch, "predict", "A", *options) == 2
    assert message in capsys.readouterr().err


def test_models_that_have_none(
    run: Run, hearing: Path, monkeypatch: Patch, capsys: Capture
) -> None:
    feed(monkeypatch, "abc\n")
    assert call(monkeypatch, "predict", run.folder, "--align-by", "attention-like") == 2
    assert "alignments must be by attention or replacement" in capsys.readouterr().err
    assert call(monkeypatch, "predict", hearing / "model", hearing / "0.wav", "--alignments") == 2
    assert "alignments must be asked of a model that reads texts; got audio" in (
        capsys.readouterr().err
    )
