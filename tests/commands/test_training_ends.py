"""What a person reads when training by a recipe is over, or was stopped."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from command_line import call
from transduce.commands import train as command

RECIPE = "training: {metric: exact_match}\ndata: {train: a.tsv}\n"


def trained(
    stopped: str, folder: Path, monkeypatch: pytest.MonkeyPatch, *options: str, step: int | None = 7
) -> int:
    """The command with a run that is over already."""
    (folder / "a.yaml").write_text(RECIPE)
    monkeypatch.chdir(folder)
    best = {} if step is None else {"exact_match": 61.25, "loss": 0.5}
    record = {"stopped": stopped, "minutes": 2.04, "steps": 1234, "best": best, "best_step": step}
    model = SimpleNamespace(report={"training": record})
    monkeypatch.setattr(command, "open_corpora", lambda config: None)
    monkeypatch.setattr(command, "fit", lambda *given, **more: model)
    return call(monkeypatch, "train", "a.yaml", *options)


def test_the_best_score_and_what_to_type_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert trained("max_steps", tmp_path, monkeypatch, "-o", "my run") == 0
    assert capsys.readouterr().out.splitlines() == [
        "max_steps after 2.0 minutes, 1,234 steps",
        "best on dev: exact_match 61.25 at step 7",
        "model: my run",
        "what you can type next:",
        "  transduce evaluate 'my run' DATA",
        "  transduce predict 'my run' INPUT",
        "  transduce show 'my run'",
    ]


def test_a_stopped_run_says_how_it_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert trained("interrupted", tmp_path, monkeypatch, "training.seed=3") == 130
    *_, best, _, again = capsys.readouterr().out.splitlines()
    assert best == "best on dev: exact_match 61.25 at step 7"
    typed = "transduce train a.yaml training.seed=3"
    assert again == f"go on: {typed} --output runs/model --resume"
    assert trained("interrupted", tmp_path, monkeypatch, "--output=x", "--resume", step=None) == 130
    *_, best, _, again = capsys.readouterr().out.splitlines()
    assert best == "no scoring on dev yet: the model is that of the last step"
    assert again == "go on: transduce train a.yaml --output=x --resume"
    assert sys.argv[0] == "transduce"
