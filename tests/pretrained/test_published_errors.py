"""What a person reads where a published model cannot be used: one line that names what is amiss."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from families import FAMILIES
from published import write_json
from safetensors.torch import load_file, save_file

from transduce import Transducer
from transduce.errors import ConfigError, ModelError
from transduce.pretrained.checkpoint.generation import to_search


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    FAMILIES["bart"](tmp_path)
    return tmp_path


def change_config(folder: Path, **changes: object) -> None:
    values = json.loads((folder / "config.json").read_text())
    write_json(folder / "config.json", {**values, **changes})


def refused(folder: Path, **options: str) -> str:
    with pytest.raises(ModelError) as caught:
        Transducer.from_pretrained(folder, device="cpu", **options)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_a_folder_that_is_none(tmp_path):
    assert "must be a directory that exists" in refused(tmp_path / "nowhere")
    assert "must be a directory with config.json" in refused(tmp_path)


def test_broken_config(folder):
    (folder / "config.json").write_text("{")
    assert "config.json must be readable JSON" in refused(folder)
    (folder / "config.json").write_text("[]")
    assert "config.json must hold a JSON object" in refused(folder)


def test_unknown_family(folder):
    change_config(folder, model_type="nothing-known")
    assert "transformers must be able to load the model" in refused(folder)
    change_config(folder, model_type=None)
    assert "config.json: model_type must be given; got none" in refused(folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"activation_function": "mish"}, "activation_function must be one of relu"),
        ({"d_model": None}, "d_model must be a number; got None"),
        ({"encoder_layers": 3}, "weights must hold encoder.layers.2"),
        ({"encoder_layers": 1}, "got an unknown encoder.layers.1"),
        ({"encoder_ffn_dim": 48}, "inner.weight must be of shape [48, 32]"),
        ({"vocab_size": 300}, "embedding must have 300 rows; got 261"),
        ({"eos_token_id": 400}, "eos_token_id must be below the vocabulary's size (261); got 400"),
    ],
)
def test_options_that_do_not_fit(folder, changes, message):
    change_config(folder, **changes)
    assert message in refused(folder)


def test_relative_positions_of_another_shape(tmp_path):
    FAMILIES["t5"](tmp_path)
    change_config(tmp_path, relative_attention_num_buckets=16)
    assert "relative_attention_num_buckets must be 32; got 16" in refused(tmp_path)


def test_broken_weights(folder):
    (folder / "model.safetensors").write_bytes(b"nothing")
    assert "must be a readable safetensors file" in refused(folder)
    (folder / "model.safetensors").unlink()
    assert "weights must be in model.safetensors" in refused(folder)


def test_weights_in_parts(folder):
    expected = Transducer.from_pretrained(folder, device="cpu").predict(["abc"], max_length=5)
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    names = sorted(weights)
    shards = {"a.safetensors": names[::2], "b.safetensors": names[1::2]}
    for shard, own in shards.items():
        save_file({name: weights[name] for name in own}, folder / shard)
    where = {name: shard for shard, own in shards.items() for name in own}
    write_json(folder / "model.safetensors.index.json", {"weight_map": where})
    loaded = Transducer.from_pretrained(folder, device="cpu")
    assert loaded.predict(["abc"], max_length=5) == expected
    write_json(folder / "model.safetensors.index.json", {"weight_map": {"x": "../a.safetensors"}})
    assert "weight_map must name files beside it; got ../a.safetensors" in refused(folder)


def test_pickled_weights_are_read_only_where_that_is_said(folder):
    expected = Transducer.from_pretrained(folder, device="cpu").predict(["abc"], max_length=5)
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    torch.save(weights, folder / "pytorch_model.bin")
    assert "got pytorch_model.bin, a pickle" in refused(folder)
    loaded = Transducer.from_pretrained(folder, device="cpu", legacy_weights=True)
    assert loaded.predict(["abc"], max_length=5) == expected


class Trap:
    def __reduce__(self):
        return (Path.touch, (Path("trapped"),))


def test_pickled_weights_run_nothing(folder, monkeypatch):
    monkeypatch.chdir(folder)
    (folder / "model.safetensors").unlink()
    torch.save({"x": Trap()}, folder / "pytorch_model.bin")
    with pytest.raises(ModelError, match="readable file of tensors alone"):
        Transducer.from_pretrained(folder, legacy_weights=True)
    assert not Path("trapped").exists()


def test_broken_tokenizer(folder):
    (folder / "tokenizer.json").write_text('{"model": 1}')
    assert "tokenizer.json: tokenizer must be whole and valid" in refused(folder)
    (folder / "tokenizer.json").unlink()
    assert "vocab.json" in refused(folder)


def test_languages_that_are_not_there(tmp_path):
    FAMILIES["mbart-50"](tmp_path)
    assert "source_language must be one of en_XX, fr_XX, ro_RO; got none" in refused(tmp_path)
    message = refused(tmp_path, source_language="en_XX", target_language="xx_XX")
    assert message.endswith("target_language must be one of en_XX, fr_XX, ro_RO; got xx_XX")


def test_another_language(tmp_path):
    pair = FAMILIES["mbart-50"](tmp_path)
    other = Transducer.from_pretrained(
        tmp_path, device="cpu", source_language="ro_RO", target_language="en_XX"
    )
    tokenizer = other.trained_.source_tokenizer
    assert tokenizer.symbols(tokenizer.encode("a"))[0] == "ro_RO"
    found = other(["abc"], max_length=4)[0][0]
    assert found.tokens[0] == "en_XX"
    assert "en_XX" not in found.text
    assert pair.ours.target_tokenizer.symbols(pair.target.first) == ["fr_XX"]


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ({}, {"beam": 1, "max_length": 256, "stopping": "generate", "forced_end": False}),
        ({"max_length": 50}, {"max_length": 49}),
        ({"max_new_tokens": 50, "max_length": 20}, {"max_length": 50}),
        ({"max_length": 50, "forced_eos_token_id": 2}, {"max_length": 48, "forced_end": True}),
        ({"num_beams": 4, "early_stopping": True}, {"beam": 4, "stopping": "generate-early"}),
        ({"early_stopping": "never"}, {"stopping": "generate-never"}),
        ({"length_penalty": 2.0}, {"length_alpha": 2.0, "length_normalization": "power"}),
        ({"min_length": 12}, {"min_length": 11}),
        ({"min_new_tokens": 12}, {"min_length": 12}),
        ({"no_repeat_ngram_size": 3}, {"no_repeat_ngram": 3}),
        ({"num_return_sequences": 3, "num_beams": 3}, {"nbest": 3}),
        ({"do_sample": True, "top_k": 5}, {"sample": True, "top_k": 5, "beam": 1}),
    ],
)
def test_generation_options_in_our_words(theirs, ours):
    found = to_search(theirs)
    assert {name: found[name] for name in ours} == ours


def test_import_writes_a_directory_of_ours(folder, tmp_path, capsys):
    from transduce.commands.export import export
    from transduce.commands.importing import import_model
    from transduce.commands.show import show

    output = tmp_path / "imported"
    import_model(folder, output, None, None, legacy_weights=False)
    assert "parameters" in capsys.readouterr().out
    expected = Transducer.from_pretrained(folder, device="cpu").predict(["abc"], max_length=5)
    assert Transducer.load(output, "cpu").predict(["abc"], max_length=5) == expected
    assert "imported: a published model of the family bart" in show(output)
    with pytest.raises(ModelError, match="tokenizer must be one of our own for ctranslate2"):
        export(output, "ctranslate2", tmp_path / "exported", "float32", None)
    with pytest.raises(ConfigError, match="--output must be a new directory"):
        import_model(folder, output, None, None, legacy_weights=False)


def test_what_is_not_taken_over_is_said(folder, caplog):
    start = json.loads((folder / "config.json").read_text())["decoder_start_token_id"]
    settings = {"decoder_start_token_id": start, "pad_token_id": 1, "num_beams": 3}
    idle = {"encoder_repetition_penalty": 1.0, "bad_words_ids": [[1], [start]]}
    write_json(folder / "generation_config.json", {**settings, **idle})
    Transducer.from_pretrained(folder, device="cpu")
    assert not caplog.messages
    told = {
        "encoder_repetition_penalty": 1.3,
        "bad_words_ids": [[1], [7, 8], [9], [7, start], [9_999]],
        "suppress_tokens": [10, start],
    }
    write_json(folder / "generation_config.json", {**settings, **told})
    Transducer.from_pretrained(folder, device="cpu")
    assert [message.partition(": ")[2] for message in caplog.messages] == [
        f"generation option bad_words_ids=[[7, {start}], [9999]] is not taken over",
        f"generation option suppress_tokens=[{start}] is not taken over",
        "generation option encoder_repetition_penalty=1.3 is not taken over",
    ]
