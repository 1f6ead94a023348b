"""``calibrate``, and ``predict`` and ``evaluate`` that say how sure a model is."""

from __future__ import annotations

import itertools
import json
import shutil
from pathlib import Path

import pytest

from command_line import call, feed
from reversal_run import Run
from transduce.commands.predicting.answer_forms import FORMS, Answer
from transduce.workflow.predicting.output import Output

Patch, Capture = pytest.MonkeyPatch, pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def calibrated(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the model that has a confidence, and data of which it is right about half."""
    home = tmp_path_factory.mktemp("calibrated")
    shutil.copytree(run.folder, home / "run")
    words = ["".join(letters) for n in (1, 2, 3) for letters in itertools.product("abcd", repeat=n)]
    wrong = [f"{word}\t{word[::-1]}{'' if n % 2 else 'd'}" for n, word in enumerate(words)]
    (home / "dev.tsv").write_text("\n".join(wrong) + "\n")
    with pytest.MonkeyPatch.context() as patch:
        assert call(patch, "calibrate", home / "run", home / "dev.tsv", "search.beam=2") == 0
    return home


def test_each_form_says_how_sure(calibrated: Path, monkeypatch: Patch, capsys: Capture) -> None:
    def written(*options: str) -> str:
        feed(monkeypatch, "abc\nb\n")
        assert call(monkeypatch, "predict", calibrated / "run", "--confidence", *options) == 0
        return capsys.readouterr().out

    first = written().splitlines()[0].split("\t")
    assert first[1] == "cba"
    assert 0 < float(first[0]) < 1
    record = json.loads(written("--format", "jsonl").splitlines()[0])
    (hypothesis,) = record["hypotheses"]
    assert hypothesis["confidence"] == pytest.approx(float(first[0]), abs=1e-4)
    assert [word["text"] for word in hypothesis["word_confidence"]] == ["cba"]
    assert written("--format", "tsv").splitlines()[:2] == [
        "source\toutput\tconfidence\terror",
        f"abc\tcba\t{first[0]}\t",
    ]


def test_what_is_less_sure_is_left_to_a_person(
    calibrated: Path, monkeypatch: Patch, capsys: Capture
) -> None:
    feed(monkeypatch, "abc\n\nb\n")
    command = "predict", calibrated / "run", "--minimum-confidence"
    assert call(monkeypatch, *command, "0.999", "--format", "jsonl") == 0
    found = capsys.readouterr()
    records = [json.loads(line) for line in found.out.splitlines()]
    assert [record.get("withheld", False) for record in records] == [True, False, True]
    assert [record["text"] for record in records] == ["", "", ""]
    assert "2 of 3 records are less sure than 0.999 and left empty (records 1, 3)" in found.err
    feed(monkeypatch, "abc\n")
    assert call(monkeypatch, *command, "0") == 0
    found = capsys.readouterr()
    assert found.out == "cba\n"
    assert "0 of 1 records are less sure than 0 and left empty\n" in found.err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--minimum-confidence", "1.5"], "--minimum-confidence must be from 0 to 1; got 1.5"),
        (["--minimum-confidence", "nan"], "--minimum-confidence must be from 0 to 1; got nan"),
        (["--confidence", "--format", "srt"], "--confidence must be asked for with --format"),
        (["--confidence", "--ensemble", "MODEL"], "confidence must be asked of one model"),
    ],
)
def test_what_cannot_be(
    calibrated: Path, options: list[str], said: str, monkeypatch: Patch, capsys: Capture
) -> None:
    model = str(calibrated / "run")
    options = [model if option == "MODEL" else option for option in options]
    assert call(monkeypatch, "predict", model, *options) != 0
    assert said in capsys.readouterr().err


def test_a_model_without_one(run: Run, monkeypatch: Patch, capsys: Capture) -> None:
    for command in (["predict", run.folder, run.test, "--confidence"], ["evaluate", run.folder]):
        extra = ["--confidence"] if command[0] == "evaluate" else []
        assert call(monkeypatch, *command, *extra) != 0
        assert "must be asked of a model that has one" in capsys.readouterr().err


def test_calibrate_says_what_it_needs(run: Run, monkeypatch: Patch, capsys: Capture) -> None:
    assert call(monkeypatch, "calibrate", run.folder) != 0  # its dev data are 20 pairs
    assert "fitted on 50 answered examples at least; got 14" in capsys.readouterr().err
    assert call(monkeypatch, "calibrate", run.folder, "--part", "ice") != 0
    assert "--part must be named with DATA; got ice alone" in capsys.readouterr().err


def test_evaluate_measures_and_draws(
    calibrated: Path, tmp_path: Path, monkeypatch: Patch, capsys: Capture
) -> None:
    picture, figures = tmp_path / "risk.png", tmp_path / "figures.json"
    command = "evaluate", calibrated / "run", calibrated / "dev.tsv"
    assert call(monkeypatch, *command, "--plot", picture, "--json", figures) == 0
    assert "confidence in 84 outputs, 84 words" in capsys.readouterr().out
    assert picture.read_bytes().startswith(b"\x89PNG")
    kept = json.loads(figures.read_text())["confidence"]
    assert kept["mean"] == pytest.approx(kept["mean_quality"], abs=0.05)


def test_a_confidence_of_nothing_is_one_too() -> None:
    answer = Answer("a", [Output("b", ("b",), 0, 0, (0.0,), confidence=0.0)], extras=["confidence"])
    assert json.loads(FORMS["jsonl"].record(answer))["hypotheses"][0]["confidence"] == 0.0
    assert FORMS["text"].record(answer) == "0.0000\tb\n"
