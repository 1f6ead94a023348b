"""Parts with tokenizers of their own in one model: learnt, saved, read, resumed, shown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from command_line import call, feed
from small_runs import tiny, words, write_lines
from transduce.config import Config
from transduce.errors import ConfigError, ModelError
from transduce.tokenization.joint import JointTokenizer
from transduce.workflow.corpora.corpora import open_corpora
from transduce.workflow.fitting.fit import fit
from transduce.workflow.trained import WEIGHTS, TrainedModel

Patch = pytest.MonkeyPatch
Capture = pytest.CaptureFixture[str]

SOUNDS = {"a": "AA", "b": "B", "c": "TS", "d": "D"}


def both_ways(home: Path) -> dict[str, Any]:
    """Letters to sounds and sounds to letters, from the same file."""
    lines = [f"{text}\t{' '.join(SOUNDS[letter] for letter in text)}" for text in words(3, 260)]
    files = {
        "train": str(write_lines(home / "train.tsv", lines[:200])),
        "dev": str(write_lines(home / "dev.tsv", lines[200:230])),
        "test": str(write_lines(home / "test.tsv", lines[230:])),
    }
    whitespace = {"kind": "whitespace"}
    return {
        "parts": {
            "say": {**files, "tokenizer": {"target": whitespace}},
            "spell": {**files, "source": 1, "target": 0, "tokenizer": {"source": whitespace}},
        }
    }


def recipe(home: Path, steps: int, **sections: dict[str, Any]) -> Config:
    recurrent = {"kind": "gru", "width": 48, "dropout": 0.0}
    training = {
        "batch_tokens": 256,
        "learning_rate": 0.01,
        "warmup_steps": 10,
        "evaluate_every": steps,
        "average": "none",
    }
    model = {"encoder": recurrent, "decoder": recurrent}
    return tiny(both_ways(home), steps, model=model, training=training, **sections)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("both_ways")
    config = recipe(home, 250)
    fit(config, open_corpora(config), home / "run")
    return home / "run"


@pytest.mark.learning
def test_one_model_says_and_spells(run: Path, monkeypatch: Patch, capsys: Capture) -> None:
    files = {path.name for path in run.glob("*.tokenizer.json")}
    assert files == {
        *("source.tokenizer.json", "source.spell.tokenizer.json"),
        *("target.tokenizer.json", "target.say.tokenizer.json"),
    }
    for part, text, expected in (("say", "cab", "TS AA B"), ("spell", "TS  AA B", "cab")):
        feed(monkeypatch, f"{text}\n")
        assert call(monkeypatch, "predict", run, "--part", part) == 0
        assert capsys.readouterr().out == f"{expected}\n"
    trained = TrainedModel.load(run)
    assert isinstance(trained.target_tokenizer, JointTokenizer)
    assert trained.attention("cab", "TS AA B", "say").shape == (4, 5)
    assert trained.attention("TS AA B", "cab", "spell").shape == (4, 5)


@pytest.mark.learning
def test_each_part_is_measured_by_its_own_targets(
    run: Path, tmp_path: Path, monkeypatch: Patch, capsys: Capture
) -> None:
    path = tmp_path / "scores.json"
    assert call(monkeypatch, "evaluate", run, "--json", path) == 0
    parts = json.loads(path.read_text())["parts"]
    assert "per" in parts["say"]["metrics"]
    assert "per" not in parts["spell"]["metrics"]
    assert min(part["metrics"]["exact_match"] for part in parts.values()) > 80
    twin = tmp_path / "twin"
    twin.symlink_to(run)
    capsys.readouterr()
    assert call(monkeypatch, "compare", run, twin) == 0
    table = {line.split()[0]: line for line in capsys.readouterr().out.splitlines() if line}
    assert "per" in table["part"]
    assert "cer" in table["part"]
    assert table["say"].split().count("-") == 2  # chrf and cer are for spelling
    assert table["spell"].split().count("-") == 1
    assert call(monkeypatch, "show", run) == 0
    shown = capsys.readouterr().out
    for phrase in ("source of other parts", "target of say", "all together"):
        assert phrase in shown


def test_saved_again_and_in_company(run: Path, tmp_path: Path) -> None:
    trained = TrainedModel.load(run)
    trained.save(tmp_path / "copy")
    again = TrainedModel.load(tmp_path / "copy")
    both = TrainedModel.ensemble([trained, again], "spell")
    [[best]] = both.predict(["D AA"], trained.config.search)
    [[alone]] = again.predict(["D AA"], trained.config.search, part="spell")
    assert best.text == alone.text
    (tmp_path / "copy/target.say.tokenizer.json").unlink()
    with pytest.raises(ModelError, match=r"which has no target\.say\.tokenizer\.json"):
        TrainedModel.load(tmp_path / "copy")


def test_a_resume_reads_the_tokenizers_of_all_parts(tmp_path: Path) -> None:
    config = recipe(tmp_path, 12).updated(
        {"training.schedule": "constant", "training.warmup_steps": 0}
    )
    fit(config, open_corpora(config), tmp_path / "whole")
    half = config.updated({"training.max_steps": 6})
    fit(half, open_corpora(half), tmp_path / "parts")
    fit(config, open_corpora(config), tmp_path / "parts", resume=True)
    weights = [(tmp_path / name / WEIGHTS).read_bytes() for name in ("whole", "parts")]
    assert weights[0] == weights[1]


def test_copying_works_over_the_joint_vocabulary(tmp_path: Path) -> None:
    config = recipe(tmp_path, 3).updated({"model.copy": True})
    trained = fit(config, open_corpora(config), tmp_path / "run")
    assert list(trained.predict(["ab"], config.search, part="say"))


def test_a_shared_tokenizer_cannot_be_many(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"tokenizer\.shared must be false where parts have tok"):
        recipe(tmp_path, 3, tokenizer={"shared": True})
    with pytest.raises(ConfigError, match=r"parts\.say\.tokenizer\.target\.knd must be a known"):
        recipe(tmp_path, 3).updated({"data.parts.say.tokenizer": {"target": {"knd": "byte"}}})


def test_where_all_parts_have_their_own_there_is_no_common_one(tmp_path: Path) -> None:
    own = {"source": {"kind": "byte"}}
    config = recipe(tmp_path, 2).updated({"data.parts.say.tokenizer": own})
    assert config.tokenizer_names("source") == ["say", "spell"]
    assert config.tokenizer_names("target") == [""]
    trained = fit(config, open_corpora(config), tmp_path / "run")
    assert not (tmp_path / "run/source.tokenizer.json").exists()
    assert isinstance(trained.source_tokenizer, JointTokenizer)
    assert (
        TrainedModel.load(tmp_path / "run").source_tokenizer.size == trained.source_tokenizer.size
    )


def test_pictures_and_recordings_take_no_tag_in_front() -> None:
    with pytest.raises(ConfigError, match="tags must be target or none where sources are of kind"):
        Config.from_mapping({"data": {"parts": {"a": {"train": "a"}}, "input": {"kind": "audio"}}})


def test_attention_is_drawn_for_a_part(
    run: Path, tmp_path: Path, monkeypatch: Patch, capsys: Capture
) -> None:
    picture = tmp_path / "a.png"
    arguments = ["show", run, "--attention", "cab", "--output", picture]
    assert call(monkeypatch, *arguments) == 2
    assert "part must be one of say, spell" in capsys.readouterr().err
    assert call(monkeypatch, *arguments, "--part", "say") == 0
    assert capsys.readouterr().out.startswith("TS AA B\n")
    assert picture.stat().st_size > 1000
