"""What is tried around a recipe's own values, and what a person may name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from transduce.automatic.choosing.recipe_lines import RecipeLine, nested
from transduce.config import Config, load_config
from transduce.errors import ConfigError
from transduce.tuning.plan import TuningRequest, keep_plan, read_plan
from transduce.tuning.space.search_space import SearchSpace, choose_space
from transduce.tuning.space.tuned_values import TunedOption, with_values
from transduce.tuning.trials.trial_minutes import share_minutes
from transduce.tuning.tuned_recipe import tuned_lines, tuned_text

TRANSFORMER = {"kind": "transformer", "width": 96, "feedforward": 384, "heads": 6, "layers": 6}


def space(recipe: dict[str, Any], *tried: str) -> SearchSpace:
    return choose_space(recipe, Config.from_mapping(recipe), tried)


def shown(option: TunedOption) -> list[Any]:
    return [value.shown for value in option.values]


def test_all_that_matters_around_the_recipes_own_values() -> None:
    found = space({"training": {"learning_rate": 0.003, "label_smoothing": 0.07}})
    by_name = {option.name: option for option in found.options}
    assert list(by_name) == [
        *("learning_rate", "batch_tokens", "width", "layers", "dropout", "label_smoothing"),
        *("beam", "length_normalization"),
    ]
    assert [option.name for option in found.search] == ["beam", "length_normalization"]
    rates = shown(by_name["learning_rate"])
    assert (rates[0], rates[7], rates[-1], len(rates)) == (0.0006, 0.003, 0.015, 15)
    assert shown(by_name["batch_tokens"]) == [1024, 2048, 4096, 8192]
    assert shown(by_name["width"]) == [128, 192, 256, 384, 512]
    assert shown(by_name["layers"]) == [1, 2]
    assert shown(by_name["dropout"]) == [0, 0.1, 0.2, 0.3, 0.4, 0.5]
    assert shown(by_name["label_smoothing"]) == [0, 0.05, 0.07, 0.1, 0.15, 0.2]
    assert shown(by_name["beam"]) == [1, 2, 4, 8]
    for option in found.options:
        assert option.values[option.own].given == {}
        assert sum(not value.given for value in option.values) == 1


def test_the_size_of_a_transformer_keeps_its_heads() -> None:
    found = space({"model": {"encoder": TRANSFORMER, "decoder": TRANSFORMER}}, "width", "layers")
    width, layers = found.training
    assert shown(width) == [48, 72, 96, 144, 192]
    assert width.values[0].given == {
        "model.encoder.width": 48,
        "model.encoder.feedforward": 192,
        "model.decoder.width": 48,
        "model.decoder.feedforward": 192,
    }
    assert shown(layers) == [4, 6, 8]
    assert layers.values[2].given == {"model.encoder.layers": 8, "model.decoder.layers": 8}


def test_what_another_model_has_settled_is_not_tried() -> None:
    recipe = {"model": {"from": "runs/base"}}
    found = {option.name: option for option in space(recipe).training}
    assert list(found) == ["learning_rate", "batch_tokens", "dropout", "label_smoothing"]
    assert found["dropout"].keys == ("training.dropout",)  # its own rate can have another's place
    with pytest.raises(ConfigError, match=r"--try must not name width where model.from is given"):
        space(recipe, "width")


def test_dropout_is_tried_where_the_recipe_says_it() -> None:
    by_training = space({"training": {"dropout": 0.35}}, "dropout").training[0]
    assert by_training.keys == ("training.dropout",)
    by_model = space({}, "dropout").training[0]
    assert by_model.keys == ("model.encoder.dropout", "model.decoder.dropout")


def test_ctc_weight_is_tried_where_there_is_ctc() -> None:
    recipe = {"model": {"ctc": True}, "search": {"ctc_weight": 0.4}}
    assert shown(space(recipe).search[-1]) == [0.0, 0.3, 0.4, 0.5, 0.7]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("training.weight_decay=0..0.2", [0, 0.025, 0.05, 0.075, 0.1, 0.125, 0.15, 0.175, 0.2]),
        ("learning_rate=1e-4..1e-2", [1e-4, 1.78e-4, 3.16e-4, 5.62e-4, 1e-3, 1.78e-3, 3.16e-3]),
        ("layers=1..4", [1, 2, 3, 4]),
        ("training.warmup_steps=10..1000", [10, 18, 32, 56, 100, 178, 200, 316, 562, 1000]),
        ("dropout=0.3,0.1", [0.1, 0.2, 0.3]),
        ("model.decoder.attention=dot,general", ["general", "dot"]),
        ("training.clip_norm=0.5,2", [0.5, 1.0, 2]),
    ],
)
def test_values_that_a_person_gives(text: str, values: list[Any]) -> None:
    [option] = space({}, text).training
    assert shown(option)[: len(values)] == values
    assert option.values[option.own].given == {}
    for value in option.values:
        assert len(set(value.given.values())) == (1 if value.given else 0)


@pytest.mark.parametrize(
    ("tried", "message"),
    [
        (["droput"], "--try must be one of learning_rate, batch_tokens, .* did you mean dropout?"),
        (["droput=1,2"], "or KEY=VALUES as in training.weight_decay=0..0.1; got 'droput=1,2'"),
        (["training.learning_rte=1,2"], "training.learning_rte must be a known key; did you mean"),
        (["training.metric=cer,wer"], "got training.metric, which is the same for all trials"),
        (["data.train=a,b"], "got data.train, which is the same for all trials"),
        (["dropout=2,3"], "--try dropout: model.encoder.dropout must be less than 1; got 2"),
        (["dropout="], "--try dropout must have values, as in A,B,C or LOW..HIGH; got ''"),
        (["dropout=0.3..0.1"], "--try dropout must have a range LOW..HIGH of numbers; got"),
        (["dropout=0.2"], "--try dropout must have another value than the recipe's; got none"),
        (["dropout", "dropout=0,0.1"], "--try must name each option once; got dropout twice"),
        (["training.betas=1,2"], "--try must name a key with one value; got training.betas"),
        (["tokenizer.target.vocabulary_size=10,20"], "training.metric must count right answers"),
    ],
)
def test_what_a_person_names_wrongly(tried: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        space({}, *tried)


# ---------------------------------------------------------------- the recipe that is written


@pytest.mark.parametrize(
    "recipe",
    [
        {},
        {"model": {"preset": "transformer-tiny"}},
        {"model": {"encoder": {"kind": "gru"}}, "data": {"parts": {"no": {"train": "x"}}}},
    ],
)
def test_a_tuned_recipe_is_whole(recipe: dict[str, Any]) -> None:
    lines = [
        RecipeLine(f"{section}.{key}", value, "")
        for section, own in recipe.items()
        for key, value in own.items()
    ]
    found = space(recipe)
    chosen = [(option, len(option.values) - 1) for option in found.options]
    tuned = Config.from_mapping(nested(tuned_lines(lines, chosen)))
    given = [option.values[place].given for option, place in chosen]
    assert tuned == Config.from_mapping(with_values(recipe, given))
    assert tuned.search.beam == 8
    assert tuned.data == Config.from_mapping(recipe).data


def test_each_tuned_line_says_what_was_tried_and_what_won() -> None:
    recipe = {"training": {"learning_rate": 0.003, "seed": 2}}
    lines = [RecipeLine("training.learning_rate", 0.003, ""), RecipeLine("training.seed", 2, "")]
    rate, dropout = space(recipe, "learning_rate", "dropout").training
    text = tuned_text(tuned_lines(lines, [(rate, 10), (dropout, dropout.own)]), ["A heading"])
    assert text.startswith("# A heading\ntraining:\n")
    assert "learning_rate: 0.006  # tuned: 0.0006 to 0.015 tried, 0.006 won; it was 0.003" in text
    assert "seed: 2\n" in text
    assert text.count("dropout: 0.2  # tuned: 0 to 0.5 tried, the recipe's own 0.2 won") == 2


def test_minutes_are_shared_out() -> None:
    hour = share_minutes(60, 2)
    assert (hour.trial, hour.ending) == (6.1, 6.0)
    assert share_minutes(60, 2, longest=1.5).trial == 1.5
    assert share_minutes(60, 64).trial == 12.0  # four rounds on each core
    assert share_minutes(6000, 1).ending == 10.0


def test_a_recipe_of_the_package_is_one_by_its_name() -> None:
    asked = TuningRequest(("g2p",), {"data.train": "x.tsv"}, (), 60, 1)
    assert asked.is_recipe
    assert asked.name == "g2p"
    assert asked.to_dict()["data"] == ["g2p"]  # wherever the package lies
    plan = read_plan(Path("nowhere"), asked)
    assert plan.untuned.config.name == load_config(asked.paths[0]).name
    minutes = plan.untuned.config.training.max_minutes
    assert minutes is None or plan.shares.trial <= minutes


def test_all_figures_of_a_person_are_kept_and_read_again(tmp_path: Path) -> None:
    asked = TuningRequest(("g2p",), {"data.train": "x.tsv"}, ("dropout=0.1,0.2",), 60, 1)
    plan = read_plan(tmp_path, asked)
    keep_plan(tmp_path, plan, asked, ["a"])
    again = read_plan(tmp_path, replace(asked, minutes=600, jobs=3))
    assert (again.untuned, again.space) == (plan.untuned, plan.space)
    assert again.shares.trial == plan.shares.trial  # scores stay comparable
    assert (again.jobs, again.shares.ending) == (3, 10.0)
    with pytest.raises(ConfigError, match="data must be what they were when"):
        keep_plan(tmp_path, again, asked, ["b"])
