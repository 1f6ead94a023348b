"""Mixtures from the recipe to the answers: two tasks that only a tag tells apart, in one model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from command_line import call, feed
from small_runs import tiny, train_tiny, words, write_lines, write_reversals
from transduce import Transducer, pipeline
from transduce.config import Config
from transduce.errors import CheckpointError, ConfigError, DataError, TrainingError
from transduce.training.record.log import read_log
from transduce.workflow.corpora.corpora import open_corpora
from transduce.workflow.corpora.survey import survey
from transduce.workflow.fitting.fit import fit
from transduce.workflow.mixture_scores import divided
from transduce.workflow.trained import WEIGHTS, TrainedModel

Patch = pytest.MonkeyPatch
Capture = pytest.CaptureFixture[str]


def two_tasks(home: Path, **data: Any) -> dict[str, Any]:
    """The same words forwards and backwards; backwards from other columns, and fewer."""
    texts = words(1, 320)
    copies = [f"{text}\t{text}" for text in texts[:250]]
    turns = [f"{number}\t{text[::-1]}\t{text}" for number, text in enumerate(texts[:180])]
    return {
        "folder": str(home),
        "parts": {
            "copy": {
                "train": write_lines(home / "copies.tsv", copies).name,
                "test": write_lines(home / "t1.tsv", [f"{t}\t{t}" for t in texts[250:290]]).name,
            },
            "turn": {
                "train": write_lines(home / "turns.tsv", turns).name,
                "dev": write_lines(
                    home / "d2.tsv", [f"0\t{t[::-1]}\t{t}" for t in texts[290:]]
                ).name,
                "test": write_lines(
                    home / "t2.tsv", [f"0\t{t[::-1]}\t{t}" for t in texts[250:290]]
                ).name,
                "source": 2,
                "tag": "back",
            },
        },
        "temperature": 2,
        **data,
    }


def learning(data: dict[str, Any], **sections: dict[str, Any]) -> Config:
    recurrent = {"kind": "gru", "width": 48, "dropout": 0.0}
    return tiny(
        data,
        300,
        model={"encoder": recurrent, "decoder": recurrent},
        training={
            "batch_tokens": 256,
            "learning_rate": 0.01,
            "warmup_steps": 10,
            "evaluate_every": 300,
            "label_smoothing": 0.0,
            "average": "none",
            "metric": "exact_match",
        },
        **sections,
    )


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that was told by the source's first token what to do."""
    home = tmp_path_factory.mktemp("mixed")
    config = learning(two_tasks(home))
    (home / "recipe.yaml").write_text(config.to_yaml())
    fit(config, open_corpora(config), home / "run")
    return home / "run"


# ---------------------------------------------------------------- the model does what it is told


@pytest.mark.learning
def test_the_same_source_has_an_answer_in_each_part(mixed: Path) -> None:
    model = Transducer.load(mixed)
    texts = ["abcd", "dcab", "bda", "acd"]
    assert model.predict(texts, part="copy", beam=2) == texts
    assert model.predict(texts, part="turn") == [text[::-1] for text in texts]
    assert model.score(["abc"], ["cba"], part="turn") == 1
    for part, found in (("none", "got 'none'"), (None, "got none")):
        with pytest.raises(ConfigError, match=f"part must be one of copy, turn.*{found}"):
            model.predict(["abc"], part=part)


@pytest.mark.learning
@pytest.mark.parametrize("right_to_left", [False, True])
def test_the_decoders_first_token_tells_as_well(tmp_path: Path, right_to_left: bool) -> None:
    target = {"target": {"right_to_left": right_to_left}}
    config = learning(two_tasks(tmp_path, tags="target"), tokenizer=target)
    trained, _ = train_tiny(config, tmp_path / "run")
    assert trained.source_tokenizer.tags == ()
    assert trained.target_tokenizer.tags == ("⟪back⟫", "⟪copy⟫")
    texts = ["abcd", "dcab", "bda", " ", "acd"]
    for beam in (1, 3):
        options = config.search.model_copy(update={"beam": beam})
        copies = [best for best, *_ in trained.predict(texts, options, part="copy")]
        turns = [best for best, *_ in trained.predict(texts, options, part="turn")]
        assert [output.text for output in copies] == [text.strip() for text in texts]
        assert [output.text for output in turns] == [text.strip()[::-1] for text in texts]
    assert turns[0].tokens[0] == "⟪back⟫"  # written first, from whichever end
    assert len(turns[0].token_scores) == len(turns[0].tokens) + 1
    assert turns[0].token_scores[0] == 0  # no choice of the model's
    assert trained.attention("abcd", "dcba", "turn").shape == (6, 5)
    if not right_to_left:
        prefix = config.search.model_copy(update={"prefix": "da"})
        [[best]] = trained.predict(["abcd"], prefix, part="turn")
        assert best.text.startswith("da")


@pytest.mark.learning
def test_a_pipeline_is_asked_for_a_part(mixed: Path) -> None:
    run = pipeline("text2text-generation", model=mixed, device="cpu", part="turn")
    assert run("abcd") == [{"generated_text": "dcba"}]
    assert run(["abcd", "bda"], part="copy") == [
        {"generated_text": "abcd"},
        {"generated_text": "bda"},
    ]
    assert run("abcd", num_beams=2) == [{"generated_text": "dcba"}]  # again its own
    loaded = pipeline("text2text-generation", model=run.model)
    assert loaded("abcd", part="turn") == [{"generated_text": "dcba"}]
    with pytest.raises(ConfigError, match=r"part must be one of copy, turn .*; got none"):
        loaded("abcd")
    with pytest.raises(ConfigError, match=r"got 'trun', did you mean turn\?"):
        run("abcd", part="trun")
    for model in (mixed, run.model):
        with pytest.raises(ConfigError, match=r"got 'trun', did you mean turn\?"):
            pipeline("text2text-generation", model=model, part="trun")


# ---------------------------------------------------------------- the terminal


def test_predict_asks_for_a_part(mixed: Path, monkeypatch: Patch, capsys: Capture) -> None:
    feed(monkeypatch, "abcd\n")
    assert call(monkeypatch, "predict", mixed) == 2
    assert "part must be one of copy, turn (--part NAME); got none" in capsys.readouterr().err
    feed(monkeypatch, "abcd\n\nbda\n")
    assert call(monkeypatch, "predict", mixed, "--part", "turn") == 0
    assert capsys.readouterr().out == "dcba\n\nadb\n"
    twice = ["predict", mixed, "--part", "turn", "--ensemble", mixed]
    feed(monkeypatch, "abcd\n")
    assert call(monkeypatch, *twice) == 0
    assert capsys.readouterr().out == "dcba\n"
    feed(monkeypatch, "abcd\n")
    assert call(monkeypatch, "predict", mixed, "--part", "trun") == 2
    error = capsys.readouterr().err
    assert "did you mean turn?" in error
    assert error.count("\n") == 1


def test_predict_reads_a_file_with_the_columns_of_its_part(
    mixed: Path, tmp_path: Path, monkeypatch: Patch, capsys: Capture
) -> None:
    table = write_lines(tmp_path / "t.tsv", ["7\tx\tabcd"])
    assert call(monkeypatch, "predict", mixed, table, "--part", "turn") == 0
    assert capsys.readouterr().out == "dcba\n"


def test_evaluate_tells_the_parts_apart(
    mixed: Path, tmp_path: Path, monkeypatch: Patch, capsys: Capture
) -> None:
    path = tmp_path / "scores.json"
    assert call(monkeypatch, "evaluate", mixed, "--json", path, "--worst", 1) == 0
    shown = capsys.readouterr().out
    found = json.loads(path.read_text())
    assert set(found["parts"]) == {"copy", "turn"}
    assert found["parts"]["turn"]["counts"]["sentences"] == 40
    right = [found["parts"][name]["metrics"]["exact_match"] for name in ("copy", "turn")]
    assert min(right) > 80
    assert found["metrics"]["exact_match"] == pytest.approx(sum(right) / 2)
    for phrase in ("scores by part", "mean of parts", "copy: worst by", "turn: worst by"):
        assert phrase in shown
    kept = json.loads((mixed / "report.json").read_text())["test"]
    assert kept["metrics"] == found["metrics"]
    assert "worst" not in kept["parts"]["copy"]
    assert call(monkeypatch, "show", mixed) == 0
    shown = capsys.readouterr().out
    for phrase in (
        "mixture, temperature 2, tags: source",
        "⟪back⟫",
        "test, by part",
        "in training",
    ):
        assert phrase in shown

    assert call(monkeypatch, "evaluate", mixed, "--part", "turn", "--json", path) == 0
    assert json.loads(path.read_text())["part"] == "turn"
    assert json.loads((mixed / "report.json").read_text())["test"] == kept
    pairs = write_reversals(tmp_path / "pairs.tsv", ["abcd"])
    assert call(monkeypatch, "evaluate", mixed, pairs) == 2
    assert "part must be one of" in capsys.readouterr().err
    arguments = [pairs, "data.parts.turn.source=0", "--part", "turn"]
    assert call(monkeypatch, "evaluate", mixed, *arguments) == 0
    assert "1 sentences" in capsys.readouterr().out
    arguments = ["data.parts.turn.test=null", "--part", "turn"]
    assert call(monkeypatch, "evaluate", mixed, *arguments) == 2
    assert "data.parts.turn.test must name a file with pairs, or DATA" in capsys.readouterr().err
    arguments = ["data.parts.turn.test=null", "data.parts.copy.test=null"]
    assert call(monkeypatch, "evaluate", mixed, *arguments) == 2
    assert "data.parts.NAME.test must name a file with pairs, for one" in capsys.readouterr().err


def test_compare_by_part_and_with_a_model_of_one_data_set(
    mixed: Path, tmp_path: Path, monkeypatch: Patch, capsys: Capture
) -> None:
    single = tiny({"train": str(mixed.parent / "copies.tsv"), "dev_fraction": 0.2})
    train_tiny(single, tmp_path / "single")
    twin = tmp_path / "twin"
    twin.symlink_to(mixed)
    path = tmp_path / "c.json"
    assert call(monkeypatch, "compare", mixed, twin, "--json", path) == 0
    shown = capsys.readouterr().out
    assert "by part" in shown
    assert shown.count("mean of parts") == 1
    assert set(json.loads(path.read_text())["parts"]) == {"copy", "turn"}
    arguments = ["compare", mixed, tmp_path / "single", "--part", "copy", "--json", path]
    assert call(monkeypatch, *arguments) == 0
    first, second = json.loads(path.read_text())["systems"]
    assert first["metrics"]["exact_match"] > 80 > second["metrics"]["exact_match"]
    test = write_lines(tmp_path / "t.tsv", ["abcd\tabcd"])
    arguments = ["compare", tmp_path / "single", mixed, "--part", "copy", "--data", test]
    assert call(monkeypatch, *arguments) == 0
    capsys.readouterr()
    for arguments, message in (
        (["compare", mixed, twin, "--data", test], "--part must be given with --data and --plot"),
        (["compare", mixed, tmp_path / "single"], "--part must be given to compare with a"),
        (["compare", mixed, twin, "--part", "x"], "part must be one of copy, turn; got 'x'"),
    ):
        assert call(monkeypatch, *arguments) == 2
        assert message in capsys.readouterr().err


def test_a_run_says_what_it_draws_and_how_each_part_does(
    tmp_path: Path, monkeypatch: Patch, capsys: Capture
) -> None:
    recipe = tmp_path / "r.yaml"
    recipe.write_text(tiny(two_tasks(tmp_path)).to_yaml())
    assert call(monkeypatch, "train", recipe, "--output", tmp_path / "run") == 0
    said = capsys.readouterr().err
    assert "  turn: 180 training pairs, " in said
    assert "% of an epoch, each pair" in said
    assert "  loss  copy " in said
    scored = [
        entry for entry in read_log(tmp_path / "run/training/log.jsonl") if entry["event"] == "dev"
    ]
    assert {"loss", "loss/copy", "loss/turn", "exact_match/turn"} <= scored[-1].keys()
    assert scored[-1]["loss"] == pytest.approx(
        (scored[-1]["loss/copy"] + scored[-1]["loss/turn"]) / 2
    )
    report = json.loads((tmp_path / "run/report.json").read_text())
    parts = report["data"]["parts"]
    total = sum(part["pairs_an_epoch"] for part in parts.values())
    assert total == pytest.approx(report["data"]["train_pairs"], abs=0.2)
    assert parts["turn"]["dev_sources"] == 30
    assert "turn: " + str(tmp_path / "turns.tsv") in report["data"]["fingerprints"]


# ---------------------------------------------------------------- resume


def test_a_resumed_mixture_has_the_weights_of_one_run(tmp_path: Path) -> None:
    steps = {"schedule": "constant", "warmup_steps": 0, "evaluate_every": 70}
    config = tiny(two_tasks(tmp_path), 70, training=steps)
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    train_tiny(config, whole)
    report = json.loads((whole / "report.json").read_text())
    assert report["training"]["epochs"] > 1.5  # so that the second half is of another epoch
    half = config.updated({"training.max_steps": 30})
    fit(half, open_corpora(half), parts)
    (parts / WEIGHTS).unlink()
    fit(config, open_corpora(config), parts, resume=True)
    assert (whole / WEIGHTS).read_bytes() == (parts / WEIGHTS).read_bytes()
    for key, value in (
        ("data.temperature", 3),
        ("data.parts.copy.weight", 2),
        ("data.tags", "both"),
    ):
        other = config.updated({key: value})
        with pytest.raises(CheckpointError, match=f"{key} must be .* to resume"):
            fit(other, open_corpora(other), parts, resume=True)


def test_a_large_mixture_in_mapped_files_is_the_same(tmp_path: Path, monkeypatch: Patch) -> None:
    config = tiny(two_tasks(tmp_path), 3)
    train_tiny(config, tmp_path / "memory")
    monkeypatch.setattr("transduce.workflow.fitting.fit._IN_MEMORY", 0)
    train_tiny(config, tmp_path / "files")
    assert (tmp_path / "files/training/corpus/corpus.json").is_file()
    first, second = ((tmp_path / name / WEIGHTS).read_bytes() for name in ("memory", "files"))
    assert first == second
    again = config.updated({"training.max_steps": 5})
    fit(again, open_corpora(again), tmp_path / "files", resume=True)


# ---------------------------------------------------------------- data


def test_leakage_is_between_pairs_that_look_alike_to_the_model(tmp_path: Path) -> None:
    """A word of one language is no leak of another's, where tags tell them apart."""
    train = write_lines(tmp_path / "a.tsv", ["a\tb", "c\td"])
    dev = write_lines(tmp_path / "b.tsv", ["a\tb", "c\tx", "z\tz"])
    other = write_lines(tmp_path / "c.tsv", ["q\tr"])
    parts = {
        "one": {"train": str(train), "dev": str(other)},
        "two": {"train": str(other), "dev": str(dev)},
    }
    for tags, sources in (("source", 0), ("none", 3)):
        config = tiny({"parts": parts, "tags": tags})
        leakage = survey(config, open_corpora(config))[1].leakage
        assert leakage.sources == sources, tags


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"data.parts.copy.train": "none.tsv"}, "none.tsv: file must be readable"),
        ({"data.parts.turn.tag": "a", "data.parts.turn.source": [2, {"tags": 2}]}, "tag of a part"),
        (
            {"data.max_source_length": 3, "data.parts.turn.source": 0},
            "data.parts.turn must hold at",
        ),
        ({"training.metric": "wer/turn"}, "training.metric must be one of"),
        ({"data.parts.copy.train": None}, r"data\.parts\.copy\.train must name a file with pairs"),
    ],
)
def test_what_is_wrong_with_a_part_is_said(
    tmp_path: Path, change: Mapping[str, Any], message: str
) -> None:
    data = two_tasks(tmp_path)
    write_lines(tmp_path / "turns.tsv", ["1000\tcba\ta"] * 5)
    config = tiny(data).updated(change)
    with pytest.raises((DataError, TrainingError, ConfigError), match=message):
        fit(config, open_corpora(config), tmp_path / "run")


def test_a_single_model_takes_no_part(tmp_path: Path, monkeypatch: Patch, capsys: Capture) -> None:
    train = write_reversals(tmp_path / "a.tsv", words(1, 40))
    trained, _ = train_tiny(tiny({"train": train, "dev_fraction": 0.3}), tmp_path / "run")
    assert isinstance(trained, TrainedModel)
    feed(monkeypatch, "abc\n")
    assert call(monkeypatch, "predict", tmp_path / "run", "--part", "ice") == 2
    assert (
        "part must be none for a model of a single data set; got 'ice'" in capsys.readouterr().err
    )


def test_dev_sentences_are_divided_evenly() -> None:
    assert divided(1000, [4000, 100, 1000, 100]) == [400, 100, 400, 100]
    assert divided(1000, [10, 20]) == [10, 20]
    assert divided(2, [5, 5, 5]) == [1, 1, 1]
