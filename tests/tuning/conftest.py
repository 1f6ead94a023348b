"""A folder with a recipe and its data."""

from __future__ import annotations

from pathlib import Path

import pytest

from small_runs import tiny, train_tiny, words, write_reversals
from small_tunings import RECIPE


@pytest.fixture(scope="session", autouse=True)
def warm(tmp_path_factory: pytest.TempPathFactory) -> None:
    """What PyTorch imports at a first step is imported before there are forks."""
    folder = tmp_path_factory.mktemp("warm")
    pairs = write_reversals(folder / "pairs.tsv", words(1, 20))
    train_tiny(tiny({"train": pairs, "dev": pairs}), folder / "run")


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pictures, of the tuning or of each trial: they take most of the time."""
    monkeypatch.setattr("transduce.training.run.plot_run", lambda *given: False)
    monkeypatch.setattr("transduce.tuning.winner.draw_trials", lambda *given, **named: None)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a recipe and its data."""
    monkeypatch.chdir(tmp_path)
    found = words(1, 100)
    write_reversals(tmp_path / "train.tsv", found[:80])
    write_reversals(tmp_path / "dev.tsv", found[80:90])
    write_reversals(tmp_path / "test.tsv", found[90:])
    (tmp_path / "small.yaml").write_text(RECIPE)
    return tmp_path
