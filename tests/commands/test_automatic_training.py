"""``transduce train`` with data in the place of a recipe."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from command_line import call
from small_runs import words, write_lines, write_reversals
from transduce import Transducer
from transduce.automatic.planning import require_minutes
from transduce.config import load_config
from transduce.errors import ConfigError, DataError
from transduce.workflow.trained import TrainedModel

TINY = ["model.encoder.width=8", "model.decoder.width=8", "training.max_steps=3"]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_from_data_to_a_tested_model(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_reversals(place / "pairs.tsv", words(1, 300))
    assert call(monkeypatch, "train", "pairs.tsv", "--minutes", "1", *TINY) == 0
    told = capsys.readouterr()
    assert "pairs.tsv: 2 columns with tabs between them" in told.err
    assert "300 pairs, 300 different sources" in told.err
    assert "scores on test, which training never saw:" in told.out
    assert "wrong of 30" in told.out
    assert "transduce evaluate runs/pairs" in told.out

    config = load_config("runs/pairs/recipe.yaml")
    assert config == TrainedModel.read_config(place / "runs/pairs")
    assert config.model.encoder.width == 8
    assert config.training.max_minutes == 1
    recipe = (place / "runs/pairs/recipe.yaml").read_text()
    assert "width: 8  # as you said" in recipe
    report = json.loads((place / "runs/pairs/report.json").read_text())
    assert report["data"]["train_pairs"] == 240
    assert report["test"]["counts"]["sentences"] == 30
    assert report["data"]["dev_leakage"]["sources"] == 0

    # the same once more: another directory, the same model; and evaluate finds the test set again
    assert call(monkeypatch, "train", "runs/pairs/recipe.yaml") == 0
    weights = [
        (place / f"runs/{run}/model.safetensors").read_bytes() for run in ("pairs", "pairs-2")
    ]
    assert weights[0] == weights[1]
    assert call(monkeypatch, "evaluate", "runs/pairs") == 0
    told = capsys.readouterr()
    assert "30 sentences" in told.out
    assert "trained on" not in told.err
    assert call(monkeypatch, "evaluate", "runs/pairs", "pairs.tsv") == 0
    assert "about 80 % of these 300 pairs were trained on" in capsys.readouterr().err


def test_five_pairs_are_too_few_and_train(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_lines(place / "five.csv", ["word;plural", "ox;oxen", "cat;cats", "dog;dogs", "pea;peas"])
    assert call(monkeypatch, "train", "five.csv", "--output", "run", *TINY) == 0
    told = capsys.readouterr()
    assert "the first line names the columns: word, plural" in told.err
    assert "there are too few sources to hold any out" in told.err
    assert "scores on dev, which the model was chosen by" in told.out


def test_bad_lines_are_counted(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [f"{word}\t{word[::-1]}" for word in words(1, 60)]
    write_lines(place / "pairs.tsv", [*lines[:30], "alone", "empty\t", *lines[30:]])
    assert call(monkeypatch, "train", "pairs.tsv", *TINY) == 0
    assert "unusable lines: 2 skipped" in capsys.readouterr().err


def test_the_same_from_python() -> None:
    options = {"model.encoder.width": 8, "model.decoder.width": 8}
    model = Transducer("auto", max_steps=2, options=options)
    sources = words(1, 200)
    model.fit(sources, [word[::-1] for word in sources])
    assert "width: 8  # as you said" in model.recipe_
    assert "# keeps a few hypotheses" in model.recipe_
    report = model.trained_.report
    assert report["data"]["train_pairs"] + report["data"]["dev_sources"] == 180
    assert report["test"]["counts"]["sentences"] == 20
    assert model.trained_.config.search.beam == 4
    assert len(model.predict(sources[:3])) == 3

    few = Transducer("auto", max_steps=1, options=options).fit(["a", "b"], ["c", "d"])
    assert few.predict(["a"]) == few.predict(["a"], beam=4)
    with pytest.raises(ConfigError) as caught:
        model.fit(["a"], ["b"], part="ice")
    assert "part must not be given where the model is auto" in str(caught.value)
    with pytest.raises(ConfigError) as no_time:
        Transducer("auto", max_minutes=0).fit(["a"], ["b"])
    assert "max_minutes must be more than 0 and at most 1,000,000; got 0" in str(no_time.value)
    for odd in (True, "ten"):
        with pytest.raises(ConfigError, match=rf"max_minutes must be .*; got {odd!r}"):
            require_minutes(odd, "max_minutes")
    with pytest.raises(DataError) as empty:
        model.fit([], [])
    assert "sources must hold at least one text; got none" in str(empty.value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["pairs.tsv", "--minutes", "0"], "--minutes must be more than 0 and at most 1,000,000"),
        (["pairs.tsv", "--minutes", "nan"], "--minutes must be more than 0"),
        (["pairs.tsv", "--resume"], "--output must name the run that --resume continues"),
        (["pairs.tsv", "--output", "full"], "--output must be a new directory; got full"),
        (["pairs.tsv", "model.wide=3"], "model.wide"),
        (["paris.tsv"], "got no such file, did you mean pairs.tsv?"),
        (["training.max_steps=3"], "train must be given a recipe, or files with pairs"),
        (["a.yaml", "pairs.tsv"], "RECIPE must stand alone; got 2 files"),
        (["bad.tsv"], "lines must be pairs, nearly all; got 2 skipped"),
    ],
)
def test_what_cannot_be_trained(
    place: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    write_reversals(place / "pairs.tsv", words(1, 20))
    write_lines(place / "bad.tsv", ["a\tb", "c\t", "\td"])
    (place / "full").mkdir()
    (place / "full" / "config.yaml").write_text("name: x\n")
    assert call(monkeypatch, "train", *arguments) == 2
    assert message in capsys.readouterr().err
    assert not (place / "runs").exists()
