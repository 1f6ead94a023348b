"""Training that goes on from a model: what stays, what is new, what learns."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from transduce.config import Config
from transduce.errors import ConfigError
from transduce.models.lora import add_low_rank, merge_low_rank, merged_weights
from transduce.models.storage import named_weights
from transduce.modules.dropout import Dropout
from transduce.workflow.corpora.corpora import corpora_from_lists
from transduce.workflow.fitting.beginning import LearntFrom
from transduce.workflow.fitting.fit import fit
from transduce.workflow.trained import TrainedModel

FIRST = [("ab", "x y"), ("ba", "y x"), ("abb", "x y y"), ("aab", "x x y")] * 4
SECOND = [("ac", "x z"), ("ca", "z x"), ("acc", "x z z"), ("caa", "z x x")] * 4
STEPS = {"max_steps": 3, "batch_tokens": 64, "average": "none", "label_smoothing": 0.0}
WIDE = {"width": 8, "dropout": 0.0}


def recipe(**sections: object) -> Config:
    return Config.from_mapping(
        {
            "tokenizer": {"source": {"kind": "character"}, "target": {"kind": "whitespace"}},
            "model": {"encoder": {"kind": "gru", **WIDE}, "decoder": {"kind": "gru", **WIDE}},
            "training": STEPS,
            "search": {"max_length": 6},
            "engine": "reference",
            **sections,
        }
    )


def continued(base: TrainedModel, folder: Path, model: dict, **training: object) -> TrainedModel:
    config = Config.from_mapping(
        {"model": {"from": str(folder), **model}, "training": {**STEPS, **training},
         "engine": "reference"}
    )  # fmt: skip
    data = corpora_from_lists(SECOND, SECOND[:2], 0.1)
    return fit(config, data, folder / "continued", learnt_from=LearntFrom(base))


@pytest.fixture
def base(tmp_path: Path) -> TrainedModel:
    return fit(recipe(), corpora_from_lists(FIRST, FIRST[:2], 0.1), tmp_path / "base")


@pytest.fixture
def transformer(tmp_path: Path) -> TrainedModel:
    stack = {"kind": "transformer", "heads": 2, "feedforward": 12, "layers": 1, **WIDE}
    config = recipe(model={"encoder": stack, "decoder": stack})
    return fit(config, corpora_from_lists(FIRST, FIRST[:2], 0.1), tmp_path / "base")


def test_new_symbols_stand_behind_the_old_ones(base, tmp_path):
    now = continued(base, tmp_path, {})
    before = base.target_tokenizer.symbols(range(base.target_tokenizer.size))
    after = now.target_tokenizer.symbols(range(now.target_tokenizer.size))
    assert after == [*before, "z"]
    assert now.config.tokenizer == base.config.tokenizer
    assert now.config.model.encoder == base.config.model.encoder
    assert "c" in now.source_tokenizer.symbols(range(now.source_tokenizer.size))
    loaded = TrainedModel.load(tmp_path / "continued", "cpu")
    search = loaded.config.search
    assert list(loaded.predict(["ac"], search)) == list(now.predict(["ac"], search))


def test_begins_with_the_weights_of_the_base(base, tmp_path):
    now = continued(base, tmp_path, {}, learning_rate=1e-12)
    before, after = named_weights(base.model), named_weights(now.model)
    assert before.keys() == after.keys()
    for name, weight in before.items():
        torch.testing.assert_close(after[name][: len(weight)], weight, atol=1e-6, rtol=0)
    ordinary = before["target_embedding.weight"][4:]
    new = after["target_embedding.weight"][-1]
    assert (new - ordinary.mean(0)).abs().max() < ordinary.std()
    assert (new - ordinary.mean(0)).abs().max() > 0
    torch.testing.assert_close(after["output.bias"][-1], before["output.bias"][4:].mean())


@pytest.mark.parametrize("positions", [1, 2])
def test_ctc_gets_new_symbols_too(tmp_path: Path, positions: int) -> None:
    config = recipe()
    model = config.model.model_copy(update={"ctc": True, "ctc_positions": positions})
    config = config.model_copy(update={"model": model})
    base = fit(config, corpora_from_lists(FIRST, FIRST[:2], 0.1), tmp_path / "base")
    now = continued(base, tmp_path, {}, learning_rate=1e-12)
    for name in ("ctc.project.weight", "ctc.project.bias"):
        before, after = named_weights(base.model)[name], named_weights(now.model)[name]
        assert len(after) == len(before) + positions
        torch.testing.assert_close(after[: len(before)], before, atol=1e-6, rtol=0)
        ordinary = before.unflatten(0, (-1, positions))[4:]
        distance = (after[len(before) :] - ordinary.mean(0)).abs().max()
        assert distance < ordinary.std()


def test_symbols_can_be_named(base, tmp_path):
    now = continued(base, tmp_path, {"new_symbols": ["w"]})
    assert now.target_tokenizer.encode("w") == [now.target_tokenizer.size - 1]


def test_frozen_parts_stay(base, tmp_path):
    now = continued(base, tmp_path, {}, freeze=["encoder", "decoder.stack"], learning_rate=0.1)
    before, after = named_weights(base.model), named_weights(now.model)
    for name, weight in before.items():
        same = torch.equal(after[name][: len(weight)], weight)
        if name.startswith(("encoder.", "decoder.stack.")):
            assert same, name
    assert not torch.equal(
        after["output.bias"][: len(before["output.bias"])], before["output.bias"]
    )


def test_low_rank_changes_are_merged(transformer, tmp_path):
    now = continued(transformer, tmp_path, {}, lora_rank=2, learning_rate=0.1)
    before, after = named_weights(transformer.model), named_weights(now.model)
    assert before.keys() == after.keys()
    changed = [name for name in before if name.startswith(("encoder", "decoder"))
               and not torch.equal(before[name], after[name])]  # fmt: skip
    assert changed
    for name in changed:
        change = after[name] - before[name]
        assert torch.linalg.matrix_rank(change, atol=1e-5) <= 2, name
    loaded = TrainedModel.load(tmp_path / "continued", "cpu")
    assert named_weights(loaded.model).keys() == before.keys()


@pytest.mark.parametrize("options", [{}, {"lora_rank": 2}, {"freeze": ["encoder"]}], ids=str)
def test_resumes(options, transformer, tmp_path):
    from transduce.commands.show import show

    def config(steps: int) -> Config:
        training = {**STEPS, **options, "max_steps": steps, "schedule": "constant"}
        return Config.from_mapping(
            {"model": {"from": str(tmp_path)}, "training": training, "engine": "reference"}
        )

    data = corpora_from_lists(SECOND, SECOND[:2], 0.1)
    base = LearntFrom(transformer)
    whole = fit(config(4), data, tmp_path / "whole", learnt_from=base)
    fit(config(2), data, tmp_path / "parts", learnt_from=base)
    parts = fit(config(4), data, tmp_path / "parts", learnt_from=base, resume=True)
    assert parts.report["training"]["steps"] == 4
    expected, found = named_weights(whole.model), named_weights(parts.model)
    assert expected.keys() == found.keys()
    assert all(weight.shape == found[name].shape for name, weight in expected.items())
    assert f"trained on from {tmp_path}" in show(tmp_path / "parts")


def test_low_rank_begins_at_the_model(transformer):
    before = {name: weight.clone() for name, weight in named_weights(transformer.model).items()}
    add_low_rank(transformer.model, 2, 4.0, learning=())
    learning = [n for n, p in transformer.model.named_parameters() if p.requires_grad]
    assert learning
    assert all(name.endswith((".up", ".down")) for name in learning)
    merged = merged_weights(transformer.model)
    assert merged.keys() == before.keys()
    assert all(torch.equal(merged[name], before[name]) for name in before)
    layer = transformer.model.encoder.layers[0].attention.query
    with torch.no_grad():
        change = layer.parametrizations.weight[0]
        change.up.normal_()
    expected = before["encoder.layers.0.attention.query.weight"] + change.up @ change.down * 2
    torch.testing.assert_close(layer.weight, expected)
    merge_low_rank(transformer.model)
    assert named_weights(transformer.model).keys() == before.keys()
    torch.testing.assert_close(layer.weight, expected)


@pytest.mark.parametrize(
    ("model", "training", "message"),
    [
        ({"tie": "target"}, {}, "model.tie must be that of model.from: leave it out, or"),
        ({}, {"freeze": ["encodr"]}, "training.freeze must name modules of the model"),
        (
            {},
            {"freeze": ["source_embedding", "encoder", "target_embedding", "decoder", "output"]},
            "training.freeze must leave a module that learns",
        ),
        ({}, {"lora_rank": 2, "weights": "int8"}, "training.weights must be float32 with"),
        ({}, {"lora_rank": 2, "freeze": ["encoder"]}, "training.freeze must be none with"),
    ],
)
def test_what_does_not_go_together_is_named(model, training, message, base, tmp_path):
    with pytest.raises(ConfigError) as caught:
        continued(base, tmp_path, model, **training)
    assert message in str(caught.value)


def test_a_recipe_may_say_what_the_base_was_trained_with(transformer, tmp_path):
    said = transformer.config.model.model_dump(mode="json", include={"encoder", "decoder", "tie"})
    with pytest.raises(
        ConfigError, match=r"model\.encoder must be that of model\.from: leave it out"
    ):
        continued(transformer, tmp_path, {"encoder": {**said["encoder"], "layers": 8}})
    other = {**said, "encoder": {**said["encoder"], "dropout": 0.125}}
    with pytest.raises(ConfigError, match=r"model\.encoder must be that of model\.from"):
        continued(transformer, tmp_path, other)
    learnt = continued(transformer, tmp_path, other, dropout=0.25)
    assert 0.25 in rates(learnt)
    assert 0.125 not in rates(learnt)
    assert learnt.config.model.encoder.layers == said["encoder"]["layers"]


def test_from_has_to_be_read(tmp_path):
    data = corpora_from_lists(FIRST, FIRST[:2], 0.1)
    with pytest.raises(ConfigError, match=r"model\.new_symbols must be none without model\.from"):
        fit(recipe(model={"new_symbols": ["w"]}), data, tmp_path)


def rates(trained: TrainedModel) -> set[float]:
    return {m.rate for m in trained.model.modules() if isinstance(m, Dropout)}


def test_dropout_of_training_takes_the_place_of_the_bases_own(transformer, tmp_path):
    assert rates(transformer) == {0.0}
    learnt = continued(transformer, tmp_path, {}, dropout=0.25)
    assert 0.25 in rates(learnt)
    own = learnt.config.model
    assert (own.encoder.dropout, own.decoder.dropout) == (0.25, 0.25)
    before = transformer.config.model.encoder
    assert own.encoder.model_copy(update={"dropout": before.dropout}) == before


def test_dropout_of_training_takes_the_place_of_the_recipes_own(tmp_path):
    config = recipe(training={**STEPS, "dropout": 0.5})
    learnt = fit(config, corpora_from_lists(FIRST, FIRST[:2], 0.1), tmp_path / "run")
    assert rates(learnt) == {0.5}


def begun(base: TrainedModel, folder: Path, **sections: object) -> tuple[TrainedModel, list[str]]:
    """A run with the base's encoder, which learns next to nothing."""
    given = {"learning_rate": 1e-12, **STEPS, **sections.pop("training", {})}
    encoder = {"encoder_from": str(folder / "base"), "decoder": {"kind": "lstm", **WIDE}}
    model = encoder | sections.pop("model", {})
    target = {"target": {"kind": "character"}} | sections.pop("tokenizer", {})
    config = Config.from_mapping(
        {"model": model, "training": given, "tokenizer": target, "engine": "reference", **sections}
    )
    said: list[str] = []
    data = corpora_from_lists(SECOND, SECOND[:2], 0.1)
    known = LearntFrom(encoder=base)
    return fit(config, data, folder / "begun", learnt_from=known, say=said.append), said


def test_an_encoder_alone_is_taken(base, tmp_path):
    now, said = begun(base, tmp_path)
    before, after = named_weights(base.model), named_weights(now.model)
    taken = {name for name in after if name.startswith(("encoder.", "source_embedding."))}
    for name in taken:
        torch.testing.assert_close(after[name][: len(before[name])], before[name])
    weights = sum(after[name].numel() for name in taken)
    total = sum(weight.numel() for weight in after.values())
    assert (
        f"from model: encoder and source embedding, {weights:,} of {total:,} weights; "
        "1 of 7 source symbols are new"
    ) in said
    assert now.config.model.encoder.kind == "gru"
    assert now.config.model.decoder.kind == "lstm"
    symbols = now.source_tokenizer.symbols(range(now.source_tokenizer.size))
    assert symbols == [*base.source_tokenizer.symbols(range(6)), "c"]
    assert now.target_tokenizer.config.kind == "character"
    assert TrainedModel.load(tmp_path / "begun", "cpu").config == now.config


def test_a_shared_tokenizer_is_that_of_the_encoder(base, tmp_path):
    now, _ = begun(base, tmp_path, tokenizer={"shared": True})
    assert now.source_tokenizer.to_json() == now.target_tokenizer.to_json()
    assert {"a", "b", "c", "z"} <= set(
        now.source_tokenizer.symbols(range(now.source_tokenizer.size))
    )


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"model": {"encoder": {"kind": "gru", "width": 12}}}, "model.encoder must be that of"),
        ({"model": {"embedding_width": 12}}, "model.embedding_width must be that of"),
        ({"model": {"scale_embeddings": False}}, "model.scale_embeddings must be that of"),
        ({"tokenizer": {"source": {"kind": "word"}}}, "tokenizer.source must be that of"),
        ({"training": {"lora_rank": 2}}, "training.lora_rank must be none with model.encoder_from"),
        ({"model": {"new_symbols": ["q"]}}, "model.new_symbols must be none without model.from"),
    ],
)
def test_what_does_not_go_with_an_encoder_is_named(sections, message, base, tmp_path):
    with pytest.raises(ConfigError, match=message):
        begun(base, tmp_path, **sections)


def test_an_encoder_of_the_same_kind_may_be_said(base, tmp_path):
    said = {"kind": "gru", "width": 8, "dropout": 0.5}
    now, _ = begun(base, tmp_path, model={"encoder": said})
    assert now.config.model.encoder.dropout == 0.5  # the recipe's


def test_an_encoder_has_to_be_read_and_stands_alone(base, tmp_path):
    config = recipe(model={"encoder_from": "x"})
    corpora = corpora_from_lists(FIRST, FIRST[:2], 0.1)
    with pytest.raises(ConfigError, match=r"model\.encoder_from must have been read; got x"):
        fit(config, corpora, tmp_path / "a")
    with pytest.raises(
        ConfigError, match=r"model\.encoder_from must be none with model\.from; got x"
    ):
        fit(config, corpora, tmp_path / "b", learnt_from=LearntFrom(base, encoder=base))
