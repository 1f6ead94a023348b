"""``transduce shortlist``: learnt of a recipe's pairs, stored beside the model, used."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from command_line import call
from small_runs import tiny, train_tiny, words, write_reversals
from transduce.config import Config
from transduce.errors import ConfigError, SearchError
from transduce.files import SUMS
from transduce.shortlists import SHORTLIST
from transduce.transducer import Transducer
from transduce.workflow.corpora.corpora import open_corpora
from transduce.workflow.fitting.fit import fit
from transduce.workflow.shrinking import shrink
from transduce.workflow.trained import TrainedModel

SOURCES = ["abc", "dd", "bca"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("shortlist")
    pairs = write_reversals(home / "pairs.tsv", words(1, 40))
    train_tiny(tiny({"train": pairs, "dev_fraction": 0.3}, steps=20), home / "model")
    return home / "model"


@pytest.mark.parametrize("by", ["alignment", "attention"])
def test_learnt_stored_and_used(
    model: Path,
    tmp_path: Path,
    by: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(model, folder)
    assert call(monkeypatch, "shortlist", folder, "--by", by, "--unchanged", 1.0) == 0
    said = capsys.readouterr().out
    assert f"by {by} of 40 pairs" in said
    assert "100.0% of 40 outputs stay as they are" in said
    assert SHORTLIST in (folder / SUMS).read_text()
    trained = TrainedModel.load(folder, "cpu")
    listed = trained.config.search.model_copy(update={"shortlist": True})
    texts = [
        [o.text for o, *_ in trained.predict(SOURCES, s)] for s in (trained.config.search, listed)
    ]
    assert texts[0] == texts[1]
    assert trained.shortlist is not None
    assert trained.shortlist.unlisted is not None
    shrink(trained, "int8").save(tmp_path / "int8")
    assert (tmp_path / "int8" / SHORTLIST).read_bytes() == (folder / SHORTLIST).read_bytes()
    assert Transducer.load(tmp_path / "int8").predict(SOURCES, shortlist=True)


def test_what_cannot_be(
    model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for given, said in (
        (["--by", "magic"], "--by must be one of alignment, attention; got 'magic'"),
        (["--unchanged", "0"], "--unchanged must be above 0 and at most 1; got 0.0"),
        ([str(tmp_path / "none.tsv")], "none.tsv"),
    ):
        assert call(monkeypatch, "shortlist", model, *given) != 0
        errors = capsys.readouterr().err.strip()
        assert said in errors
        assert len(errors.splitlines()) == 1
    assert not (model / SHORTLIST).exists()
    with pytest.raises(SearchError, match="`transduce shortlist MODEL` learns"):
        Transducer.load(model).predict(SOURCES, shortlist=True)


def test_a_recipe_cannot_ask_for_one(model: Path, tmp_path: Path) -> None:
    config: Config = TrainedModel.read_config(model)
    config = config.updated({"search.shortlist": True})
    with pytest.raises(ConfigError, match=r"search\.shortlist must be false where a model is"):
        fit(config, open_corpora(config), tmp_path / "run")
