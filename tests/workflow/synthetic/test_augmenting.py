"""Pairs that a model makes of text alone: what becomes of them, and the recipe beside them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import transduce.workflow.synthetic.asking as asking
import transduce.workflow.synthetic.grown_pairs as grown_pairs
import transduce.workflow.synthetic.model_direction as direction
from reversal_run import Run
from small_runs import train_tiny, write_lines, write_reversals
from transduce.config import Config, load_config
from transduce.errors import ConfigError, DataError, ModelError
from transduce.metrics.losses import LossTotals
from transduce.reading.pair_files import Pair
from transduce.workflow.corpora.corpora import open_corpora
from transduce.workflow.synthetic.augmenting import Augmented, Augmenting, augment
from transduce.workflow.synthetic.model_direction import require_direction
from transduce.workflow.trained import TrainedModel


@pytest.fixture(scope="module")
def model(run: Run) -> TrainedModel:
    return TrainedModel.load(run.folder)


def records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def made(
    run: Run, model: TrainedModel, folder: Path, texts: list[str], *changes: str, **asked: Any
) -> Augmented:
    """What the model, which turns strings round, makes of ``texts``."""
    file = write_lines(folder.parent / "texts.txt", texts)
    options = asked.pop("options", model.config.search)
    config = load_config(run.recipe, changes)
    return augment(config, model, folder, Augmenting((str(file),), options, **asked))


def test_targets_get_sources_beside_the_real_pairs(
    run: Run, model: TrainedModel, tmp_path: Path
) -> None:
    found = made(run, model, tmp_path / "out", ["abc", "da", "", "a" * 30])
    first, second = records(tmp_path / "out/synthetic.jsonl")[:2]
    assert first == {"origin": ["BT"], "source": "cba", "target": "abc"}
    assert second == {"origin": ["BT"], "source": "ad", "target": "da"}
    assert found.left_out["empty"] == 1
    assert found.kept + sum(found.left_out.values()) == found.asked.sources == 4
    config = load_config(found.recipe, ["training.max_steps=2"])
    corpora = open_corpora(config)
    real = [pair.source for pair in open_corpora(load_config(run.recipe)).train()]
    by_part = {name: [p.source for p in own()] for name, own in corpora.train_by_part().items()}
    assert by_part["real"] == real
    assert by_part["synthetic"][:2] == ["⟪BT⟫cba", "⟪BT⟫ad"]
    assert list(corpora.dev_by_part()) == ["real"]
    student, _ = train_tiny(config, tmp_path / "student")
    assert list(student.source_tokenizer.tags) == ["⟪BT⟫"]
    assert list(student.predict(["ab"], student.config.search))  # no part needs to be named


def test_sources_get_targets(run: Run, model: TrainedModel, tmp_path: Path) -> None:
    made(run, model, tmp_path / "out", ["abc"], forward=True)
    [record] = records(tmp_path / "out/synthetic.jsonl")
    assert record == {"origin": ["ST"], "source": "abc", "target": "cba"}


def test_other_tags_and_noise_ask_nothing_again(
    run: Run, model: TrainedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = ["abc", "dab", "cad"] * 20
    made(run, model, tmp_path / "out", texts)
    monkeypatch.setattr(asking, "_answered", None)  # who asks now fails
    plain = made(run, model, tmp_path / "out", texts, tag=False)
    assert records(tmp_path / "out/synthetic.jsonl")[0] == {"source": "cba", "target": "abc"}
    assert [pair.source for pair in open_corpora(load_config(plain.recipe)).train()][-1] == "dac"
    found = made(run, model, tmp_path / "out", texts, tag=False, noise=True)
    noised = records(tmp_path / "out/synthetic.jsonl")
    assert {record["target"] for record in noised} == {"abc", "dab", "cad"}
    assert len({record["source"] for record in noised}) > 10  # a letter is a unit
    config = load_config(found.recipe, ["training.max_steps=1"])
    student, _ = train_tiny(config, tmp_path / "student")
    assert list(student.source_tokenizer.tags) == ["⟪blank⟫"]  # one symbol


@pytest.mark.parametrize("written", [True, False])
def test_draws_go_on_as_if_nobody_had_stopped_them(
    run: Run, model: TrainedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: bool
) -> None:
    drawn = model.config.search.model_copy(update={"sample": True, "temperature": 3.0})
    texts = ["abcd", "dcba", "abab", "cdcd"] * 6
    monkeypatch.setattr(asking, "_BLOCK", 5)
    for folder in ("whole", "parts", "other"):
        (tmp_path / folder).mkdir()
    made(run, model, tmp_path / "whole/out", texts, options=drawn)
    write, calls = grown_pairs.write_text, []

    def killed(path: Path, text: str) -> None:
        calls.append(path)
        if len(calls) == 3:
            if written:
                write(path, text)
            raise KeyboardInterrupt
        write(path, text)

    with monkeypatch.context() as patch:
        patch.setattr(grown_pairs, "write_text", killed)
        with pytest.raises(KeyboardInterrupt):
            made(run, model, tmp_path / "parts/out", texts, options=drawn)
    made(run, model, tmp_path / "parts/out", texts, options=drawn)
    whole, parts = (tmp_path / name / "out/answers.jsonl" for name in ("whole", "parts"))
    assert parts.read_bytes() == whole.read_bytes()
    blocks = [whole.read_text().splitlines()[start : start + 4] for start in (0, 4, 8)]
    assert blocks[0] != blocks[1] != blocks[2]
    other = drawn.model_copy(update={"seed": 2})
    made(run, model, tmp_path / "other/out", texts, options=other)
    assert (tmp_path / "other/out/answers.jsonl").read_bytes() != whole.read_bytes()


def test_shares_that_are_held_out_stay_out(run: Run, model: TrainedModel, tmp_path: Path) -> None:
    held = ["data.dev=null", "data.test=null", "data.dev_fraction=0.2", "data.test_fraction=0.1"]
    found = made(run, model, tmp_path / "out", ["abc", "dab"], *held)
    config = load_config(found.recipe)
    before, after = open_corpora(load_config(run.recipe, held)), open_corpora(config)
    assert {e.source for e in after.dev} == {e.source for e in before.dev}
    real = [(p.source, p.target) for p in after.train_by_part()["real"]()]
    assert real == [(p.source, p.target) for p in before.train()]
    assert config.data.parts is not None
    assert config.data.parts["real"].test is not None
    assert len(list(after.train_by_part()["synthetic"]())) == 2


def test_a_part_of_a_mixture_gets_pairs_of_its_own(
    run: Run, model: TrainedModel, tmp_path: Path
) -> None:
    files = {"train": str(write_reversals(tmp_path / "t.tsv", ["ab", "ba", "abb"]))}
    files["dev"] = files["train"]
    parts = {"x": {**files, "tag": "turn"}, "y": files}
    config = Config.from_mapping({"data": {"parts": parts, "temperature": 2}})
    text = write_lines(tmp_path / "m.txt", ["abb"])
    asked = Augmenting((str(text),), model.config.search, part="x")
    found = load_config(augment(config, model, tmp_path / "out", asked).recipe)
    sources = {n: next(own()).source for n, own in open_corpora(found).train_by_part().items()}
    assert sources == {"x": "⟪turn⟫ab", "y": "⟪y⟫ab", "x-synthetic": "⟪turn⟫⟪BT⟫bba"}
    assert found.data.temperature == 2
    with pytest.raises(ConfigError, match="--part must be one of x, y; got none"):
        augment(config, model, tmp_path / "other", replace(asked, part=None))
    with pytest.raises(ConfigError, match="must not have x-synthetic before"):
        augment(found, model, tmp_path / "other", asked)


def test_columns_of_tags_stay_with_their_sources(tmp_path: Path) -> None:
    rows = write_lines(tmp_path / "t.tsv", ["A;B\tab\tba", "C\tabb\tbba"] * 4)
    data = {"train": str(rows), "dev": str(rows), "target": 2}
    recurrent = {"kind": "gru", "width": 16, "dropout": 0.0}
    config = Config.from_mapping(
        {
            "data": {**data, "source": [{"tags": 0, "separator": ";"}, 1]},
            "model": {"encoder": recurrent, "decoder": recurrent},
            "training": {"max_steps": 40, "learning_rate": 0.03, "label_smoothing": 0.0},
            "search": {"max_length": 6},
        }
    )
    model, _ = train_tiny(config, tmp_path / "model")
    more = write_lines(tmp_path / "more.tsv", ["A;B\tab", "C\tabb"])
    asked = Augmenting((str(more),), config.search, forward=True)
    recipe = augment(config, model, tmp_path / "out", asked).recipe
    made = open_corpora(load_config(recipe)).train_by_part()["synthetic"]()
    assert [pair.source for pair in made] == ["⟪ST⟫⟪A⟫⟪B⟫ab", "⟪ST⟫⟪C⟫abb"]
    with pytest.raises(ConfigError, match=r"data\.source must be one column of text"):
        augment(config, model, tmp_path / "other", replace(asked, forward=False))


def test_what_does_not_fit_is_refused(run: Run, model: TrainedModel, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="`transduce calibrate MODEL` fits it"):
        made(run, model, tmp_path / "out", ["ab"], best=0.5)
    two = model.config.search.model_copy(update={"beam": 2, "nbest": 2})
    with pytest.raises(ConfigError, match=r"search\.nbest must be 1 where"):
        made(run, model, tmp_path / "out", ["ab"], least=0.5, options=two)
    with pytest.raises(DataError, match=r"must make at least one good pair; got none \(1 empty\)"):
        made(run, model, tmp_path / "out", [""])
    with pytest.raises(ConfigError, match="go on with the same models, data and options"):
        made(run, model, tmp_path / "out", ["ab"])


def test_a_model_that_goes_the_other_way_is_refused(
    model: TrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    sure = {"ab": 0.5, "xy": 4.0}  # of pairs whose sources these are
    monkeypatch.setattr(direction, "pair_batches", lambda model, examples, part: examples)
    monkeypatch.setattr(
        direction, "loss_totals", lambda model, examples: LossTotals(sure[examples[0].source], 1)
    )
    pairs = [Pair("ab", "xy", "file", 1)]
    require_direction(model, None, pairs, forward=True)
    message = "--model must read targets and write sources with --text; got .* 4.0 nats .* 0.5 that"
    with pytest.raises(ConfigError, match=message):
        require_direction(model, None, pairs, forward=False)
    sure["xy"] = 1.0  # as likely one way as the other: a model of names, of turned strings
    require_direction(model, None, pairs, forward=False)
