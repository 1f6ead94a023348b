"""From files to a model directory: what is counted and said, the directory itself, resuming."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from small_runs import tiny, train_tiny, words, write_lines, write_reversals
from transduce.config import Config
from transduce.errors import CheckpointError, ConfigError, ModelError, TrainingError
from transduce.models.storage import named_weights
from transduce.workflow.corpora.corpora import open_corpora
from transduce.workflow.evaluate import evaluate
from transduce.workflow.fitting.fit import fit
from transduce.workflow.fitting.run_folder import run_fingerprint
from transduce.workflow.trained import TrainedModel


@pytest.fixture
def train_file(tmp_path: Path) -> Path:
    return write_reversals(tmp_path / "train.tsv", words(1, 40))


def same_weights(left: TrainedModel, right: TrainedModel) -> bool:
    ours, theirs = named_weights(left.model), named_weights(right.model)
    return ours.keys() == theirs.keys() and all(torch.equal(ours[k], theirs[k]) for k in ours)


def report_of(folder: Path) -> dict[str, Any]:
    report: dict[str, Any] = json.loads((folder / "report.json").read_text())
    return report


# ---------------------------------------------------------------- what is counted and said


def test_leakage_is_said(tmp_path: Path, train_file: Path) -> None:
    known = words(1, 40)[0]
    dev = write_lines(tmp_path / "dev.tsv", [f"{known}\t{known[::-1]}", f"{known}\tx", "dddddd\td"])
    trained, said = train_tiny(tiny({"train": train_file, "dev": dev}), tmp_path / "run")
    assert said[0] == "40 training pairs, 2 dev sources"
    assert said[1] == (
        "warning: 2 dev sources stand in the training data too (leakage), 1 with the same target"
    )
    assert trained.report["data"]["dev_leakage"] == {"pairs": 1, "sources": 2, "total": 3}


def test_what_is_left_out_and_skipped_is_said_and_reported(tmp_path: Path) -> None:
    train = write_lines(
        tmp_path / "train.tsv", ["a\ta", "ab\tba", "abcdefgh\tx", "alone", "\tx", "b\tb"]
    )
    dev = write_lines(tmp_path / "dev.tsv", ["c\tc", "alone"])
    data = {"train": train, "dev": dev, "on_error": "skip", "max_source_length": 5}
    _, said = train_tiny(tiny(data), tmp_path / "run")
    assert said[0] == "3 training pairs, 1 dev sources"
    assert said[1].startswith("skipped for errors in training data: 2 (")
    assert said[2].startswith("skipped for errors in dev data: 1 (")
    assert "1 pairs" in said[3]
    assert said[3].startswith("left out for ")
    report = report_of(tmp_path / "run")["data"]
    assert report["problems"]["skipped"] == 2
    assert report["dev_problems"]["skipped"] == 1
    assert sum(report["filtered"].values()) == 1
    assert any(
        "line 4" in text for found in report["problems"]["examples"].values() for text in found
    )


def test_what_is_cut_is_said_and_reported(tmp_path: Path) -> None:
    train = write_lines(tmp_path / "train.tsv", ["a\ta", "abcdefgh\tx", "b\tb"])
    dev = write_lines(tmp_path / "dev.tsv", ["c\tc"])
    data = {"train": train, "dev": dev, "max_source_length": 5, "too_long": "truncate"}
    _, said = train_tiny(tiny(data), tmp_path / "run")
    assert said[0] == "3 training pairs, 1 dev sources"
    assert said[1].startswith("cut for ")
    assert sum(report_of(tmp_path / "run")["data"]["truncated"].values()) == 1


# ---------------------------------------------------------------- kinds of data


def test_shuffled_tags_are_other_training_data(tmp_path: Path) -> None:
    rows = [f"{w}\t{w}\tV;PST;SG;1" for w in words(1, 40)]
    train = write_lines(tmp_path / "train.tsv", rows)
    columns = [0, {"tags": 2, "separator": ";"}]
    data = {"train": train, "source": columns, "target": 1}
    weights = []
    for name, orders in [("a", 1), ("b", 3), ("c", 3)]:
        config = tiny(data, steps=10).updated({"training.tag_orders": orders})
        trained, _ = train_tiny(config, tmp_path / name)
        weights.append(trained.model.source_embedding.weight)
    assert not torch.equal(weights[0], weights[1])
    assert torch.equal(weights[1], weights[2])


def test_tags_are_shuffled_only_where_there_are_some(tmp_path: Path) -> None:
    train = write_lines(tmp_path / "train.tsv", [f"{w}\t{w}" for w in words(1, 20)])
    config = tiny({"train": train}).updated({"training.tag_orders": 3})
    with pytest.raises(ConfigError, match="tag_orders must be 1 where no source holds tags"):
        train_tiny(config, tmp_path / "run")


def test_columns_with_tags_and_copying(tmp_path: Path) -> None:
    """The shape of inflection: lemma, form, features."""
    rows = [f"{w}\t{w}x\tV;PST" for w in words(1, 20)] + [f"{w}\t{w}\tN;SG" for w in words(2, 20)]
    train = write_lines(tmp_path / "train.tsv", rows)
    columns = [0, {"tags": 2, "separator": ";"}]
    config = tiny({"train": train, "source": columns, "target": 1}, model={"copy": True})
    trained, _ = train_tiny(config, tmp_path / "run")
    assert {"⟪V⟫", "⟪PST⟫"} <= set(
        trained.source_tokenizer.symbols(range(trained.source_tokenizer.size))
    )
    loaded = TrainedModel.load(tmp_path / "run")
    sources = ["ab⟪V⟫⟪PST⟫", "ab⟪N⟫⟪SG⟫"]
    assert list(loaded.predict(sources, config.search)) == list(
        trained.predict(sources, config.search)
    )


def test_json_lines_and_a_shared_vocabulary(tmp_path: Path) -> None:
    train = tmp_path / "train.jsonl"
    write_lines(train, [json.dumps({"source": w, "target": f"{w}e"}) for w in words(1, 30)])
    config = tiny({"train": train}, tokenizer={"shared": True}, model={"tie": "all"})
    trained, _ = train_tiny(config, tmp_path / "run")
    loaded = TrainedModel.load(tmp_path / "run")
    assert loaded.source_tokenizer.to_json() == loaded.target_tokenizer.to_json()
    assert set(loaded.source_tokenizer.symbols(range(4, loaded.source_tokenizer.size))) == set(
        "abcde"
    )
    assert same_weights(trained, loaded)


def test_config_comes_back_equal(tmp_path: Path, train_file: Path) -> None:
    config = tiny({"train": train_file, "dev_fraction": 0.3}, search={"beam": 3})
    train_tiny(config, tmp_path / "run")
    assert TrainedModel.read_config(tmp_path / "run") == config


# ---------------------------------------------------------------- data that will not do


def test_an_empty_dev_set_says_what_to_change(tmp_path: Path, train_file: Path) -> None:
    config = tiny({"train": train_file, "dev_fraction": 0})
    with pytest.raises(TrainingError, match=r"got none: set data\.dev, or a larger data\.dev_frac"):
        train_tiny(config, tmp_path / "run")


def test_nothing_left_after_filtering(tmp_path: Path, train_file: Path) -> None:
    config = tiny({"train": train_file, "max_source_length": 1})
    with pytest.raises(TrainingError, match="at least one pair; got none after filtering"):
        train_tiny(config, tmp_path / "run")


# ---------------------------------------------------------------- the directory


def test_an_occupied_directory_is_left_alone(tmp_path: Path, train_file: Path) -> None:
    config = tiny({"train": train_file})
    train_tiny(config, tmp_path / "run")
    before = {path: path.read_bytes() for path in (tmp_path / "run").iterdir() if path.is_file()}
    with pytest.raises(ConfigError, match=r"--output must be a new directory; got .*holds a run"):
        train_tiny(config, tmp_path / "run")
    assert {path: path.read_bytes() for path in before} == before


def test_a_foreign_config_is_not_written_over(tmp_path: Path, train_file: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "config.yaml").write_text("of something else")
    with pytest.raises(ConfigError, match="--output must be a new directory"):
        train_tiny(tiny({"train": train_file}), folder)
    assert (folder / "config.yaml").read_text() == "of something else"


def test_after_an_error_in_the_data_the_same_directory_will_do(tmp_path: Path) -> None:
    train = write_lines(tmp_path / "train.tsv", ["alone"])
    config = tiny({"train": train, "dev_fraction": 0.3})
    with pytest.raises(Exception, match="line 1"):
        train_tiny(config, tmp_path / "run")
    write_reversals(train, words(1, 40))
    config = tiny({"train": train, "dev_fraction": 0})
    with pytest.raises(TrainingError, match="dev data"):  # the directory is made by now
        train_tiny(config, tmp_path / "run")
    trained, _ = train_tiny(tiny({"train": train, "dev_fraction": 0.3}), tmp_path / "run")
    assert trained.report["training"]["steps"] == 2


def test_a_file_in_the_way(tmp_path: Path, train_file: Path) -> None:
    for folder in (train_file, train_file / "run"):
        with pytest.raises(CheckpointError, match="--output must be a writable directory; got"):
            train_tiny(tiny({"train": train_file}), folder)


# ---------------------------------------------------------------- resuming


def test_resumed_weights_are_those_of_an_uninterrupted_run(
    tmp_path: Path, train_file: Path
) -> None:
    def config(steps: int) -> Config:
        data = {"train": train_file, "dev_fraction": 0.3}
        # no decay, so that the rate does not depend on where the run was to end
        options = {"max_steps": steps, "schedule": "constant", "warmup_steps": 0}
        return tiny(data, training={**options, "evaluate_every": 3})

    whole, _ = train_tiny(config(6), tmp_path / "whole")
    train_tiny(config(3), tmp_path / "parts")
    again = config(6)
    resumed = fit(again, open_corpora(again), tmp_path / "parts", resume=True)
    assert same_weights(whole, resumed)
    assert resumed.report["training"]["steps"] == 6
    assert TrainedModel.read_config(tmp_path / "parts").training.max_steps == 6


def test_nothing_to_resume(tmp_path: Path, train_file: Path) -> None:
    config = tiny({"train": train_file})
    with pytest.raises(CheckpointError, match="--resume must have a run to go on with; got none"):
        fit(config, open_corpora(config), tmp_path / "run", resume=True)


@pytest.mark.parametrize(
    ("section", "options", "message"),
    [
        ("model", {"tie": "target"}, "model.tie must be none to resume .*; got target"),
        ("tokenizer", {"shared": True}, "tokenizer.shared must be False to resume .*; got True"),
        ("training", {"seed": 9}, "training.seed must be 1 to resume"),
    ],
)
def test_a_resume_refuses_another_recipe(
    tmp_path: Path, train_file: Path, section: str, options: dict[str, Any], message: str
) -> None:
    data = {"train": train_file, "dev_fraction": 0.3}
    train_tiny(tiny(data), tmp_path / "run")
    before = (tmp_path / "run" / "config.yaml").read_text()
    other = tiny(data, **{section: options})
    with pytest.raises(CheckpointError, match=message):
        fit(other, open_corpora(other), tmp_path / "run", resume=True)
    assert (tmp_path / "run" / "config.yaml").read_text() == before


def test_a_resume_refuses_other_data(tmp_path: Path, train_file: Path) -> None:
    config = tiny({"train": train_file, "dev_fraction": 0.3})
    train_tiny(config, tmp_path / "run")
    write_reversals(train_file, words(2, 40))
    with pytest.raises(CheckpointError, match="data and model must be the same to resume"):
        fit(config, open_corpora(config), tmp_path / "run", resume=True)


def test_runs_of_older_versions_have_the_same_fingerprint(train_file: Path) -> None:
    """Of a version without ``memory_heads``: options that come later belong into ``_LATER``."""
    stack = {"kind": "transformer", "width": 8, "feedforward": 16, "layers": 1}
    config = tiny(
        {"train": train_file, "dev_fraction": 0.3}, model={"encoder": stack, "decoder": stack}
    )
    assert run_fingerprint(config, open_corpora(config)) == "45dd6d1289545728ee82f3df76b354f4"


def test_large_data_is_encoded_once(
    tmp_path: Path, train_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when resumed, what was skipped is still in the report."""
    monkeypatch.setattr("transduce.workflow.fitting.fit._IN_MEMORY", 0)
    train_file.write_text(train_file.read_text() + "alone\n")
    data = {"train": train_file, "dev_fraction": 0.3, "on_error": "skip"}
    train_tiny(tiny(data, steps=2), tmp_path / "run")
    manifest = next((tmp_path / "run" / "training" / "corpus").glob("*.json"))
    written = manifest.stat().st_mtime_ns
    config = tiny(data, steps=10)
    resumed = fit(config, open_corpora(config), tmp_path / "run", resume=True)
    assert manifest.stat().st_mtime_ns == written
    assert resumed.report["data"]["problems"]["skipped"] == 1


# ---------------------------------------------------------------- broken model directories


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("model.safetensors", b"no weights", "weights must be a readable safetensors file"),
        ("model.safetensors", None, "which has no model.safetensors"),
        ("config.yaml", b"model: [", "config.yaml, line 1: recipe must be valid YAML"),
        ("config.yaml", b"modell: {}", "did you mean model"),
        ("config.yaml", None, "which has no config.yaml"),
        ("source.tokenizer.json", b"{}", "source.tokenizer.json"),
        ("target.tokenizer.json", None, "which has no target.tokenizer.json"),
        ("report.json", b"{", "report.json must be readable JSON"),
        ("report.json", b"[]", "report.json must hold a JSON object"),
    ],
)
def test_a_broken_directory_is_one_clear_line(
    tmp_path: Path, train_file: Path, name: str, content: bytes | None, message: str
) -> None:
    train_tiny(tiny({"train": train_file, "dev_fraction": 0.3}, steps=1), tmp_path / "run")
    path = tmp_path / "run" / name
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises((ModelError, ConfigError), match=message) as caught:
        TrainedModel.load(tmp_path / "run")
    assert "\n" not in str(caught.value)


def test_weights_of_other_shapes(tmp_path: Path, train_file: Path) -> None:
    data = {"train": train_file, "dev_fraction": 0.3}
    train_tiny(tiny(data, steps=1), tmp_path / "run")
    config = tmp_path / "run" / "config.yaml"
    config.write_text(config.read_text().replace("width: 8", "width: 16"))
    with pytest.raises(ModelError, match=r"model\.safetensors: \S+ must be of shape .*; got"):
        TrainedModel.load(tmp_path / "run")


def test_a_model_without_a_report_still_works(tmp_path: Path, train_file: Path) -> None:
    trained, _ = train_tiny(tiny({"train": train_file, "dev_fraction": 0.3}), tmp_path / "run")
    (tmp_path / "run" / "report.json").unlink()
    loaded = TrainedModel.load(tmp_path / "run")
    examples = open_corpora(trained.config).dev
    assert loaded.report == {}
    assert evaluate(loaded, examples).report.metrics == evaluate(trained, examples).report.metrics
