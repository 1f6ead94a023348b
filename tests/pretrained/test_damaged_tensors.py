"""Files whose tensors have other shapes, types or names than a model's: refused in one line."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import test_ctranslate2_layout as layout
import torch
from binary_files import binary
from families import FAMILIES
from library_models import write_gpt2
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file

from transduce.errors import ModelError, TransduceError
from transduce.pretrained.published_model import read_pretrained

Array = NDArray[Any]


def refused(folder: Path) -> str:
    with pytest.raises(ModelError) as caught:
        read_pretrained(folder, device="cpu")
    message = str(caught.value)
    assert str(folder) in message
    assert "\n" not in message
    return message


def odd(generator: random.Random, array: Array) -> Array:
    """Another array than this one."""
    shapes: list[Callable[[], Array]] = [
        lambda: array[..., None],
        lambda: array[None],
        lambda: array[: len(array) // 2] if array.ndim else array[None],
        lambda: np.concatenate([array, array]) if array.ndim else np.array([1, 2], array.dtype),
        lambda: np.zeros(generator.choice([(), (0,), (0, 4), (1, 1)]), array.dtype),
        lambda: np.full(array.shape, generator.choice([np.nan, np.inf]), np.float32),
        lambda: array.astype(np.int32),
    ]
    return np.ascontiguousarray(generator.choice(shapes)())


# ------------------------------------------------ CTranslate2


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> tuple[Path, dict[str, Array], Any]:
    """A small model in its layout, and what its file was written from."""
    given: dict[str, Any] = {}

    def caught(variables: Any, aliases: Any = None, **more: Any) -> bytes:
        given.update(variables=variables, aliases=aliases or {}, more=more)
        return binary(variables, aliases, **more)

    monkeypatch.setattr(layout, "binary", caught)
    layout.transformer(tmp_path)
    return tmp_path, given["variables"], lambda v, a=None: binary(v, a or {}, **given["more"])


def test_variables_of_other_shapes(written: Any) -> None:
    folder, variables, content = written
    generator = random.Random(1)
    answered = 0
    for name in sorted(variables):
        other = odd(generator, variables[name])
        (folder / "model.bin").write_bytes(content({**variables, name: other}))
        try:
            read_pretrained(folder, device="cpu")
        except TransduceError:
            refused(folder)
        else:
            answered += 1  # a flag in another type
    assert answered < len(variables) / 5


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("encoder/num_heads", np.array(0, np.int16), "num_heads must be 1 to 65536; got 0"),
        ("encoder/num_heads", np.array(-4, np.int16), "num_heads must be 1 to 65536; got -4"),
        ("encoder/num_heads", np.array(np.nan, np.float32), "must be a finite number; got nan"),
        ("encoder/num_heads", np.array(2.5, np.float32), "must be 1 to 65536; got 2.5"),
        ("encoder/activation", np.array(10**9, np.int32), "must be 0 to 65536; got 1e+09"),
        ("decoder/position_encodings/encodings", np.ones((1, 10**5), np.int8), "must have a scale"),
        ("decoder/position_encodings/encodings", np.ones((1, 9), np.float32), "as wide as the"),
        ("encoder/layer_0/ffn/linear_0/weight", np.ones([1] * 9, np.int8), "8 dimensions at most"),
    ],
)
def test_numbers_of_a_ctranslate2_model(
    written: Any, name: str, value: Array, message: str
) -> None:
    folder, variables, content = written
    (folder / "model.bin").write_bytes(content({**variables, name: value}))
    assert message in refused(folder)


def test_scales_and_aliases_do_not_multiply(written: Any) -> None:
    folder, variables, content = written
    name = "encoder/layer_0/ffn/linear_0/weight"
    wide = {name: np.ones((1, 1000), np.int8), f"{name}_scale": np.ones(1000, np.float32)}
    (folder / "model.bin").write_bytes(content({**variables, **wide}))
    assert "must have a scale, or one for each of its rows" in refused(folder)
    large = {"large": np.zeros((16, 16, 1000), np.float32)}
    aliases = {f"encoder/layer_{n}/self_attention/linear_0/weight": "large" for n in range(2, 9)}
    (folder / "model.bin").write_bytes(content({**variables, **large}, aliases))
    refused(folder)


def test_symbols_of_a_ctranslate2_model(written: Any) -> None:
    folder, *_ = written
    path = folder / "shared_vocabulary.json"
    kept = path.read_text()
    for text, message in (
        (kept.replace('"b"', '"a"'), "vocabulary must have each symbol once"),
        (kept.replace('"b"', "1"), "vocabulary must be a list of texts"),
        (kept.replace('"b"', f'"{"b" * 5000}"'), "of 4096 characters at most"),
        ("{}", "vocabulary must be a list of texts"),
        ("[", "must be readable JSON"),
    ):
        path.write_text(text)
        assert message in refused(folder)
    path.write_text(kept)
    for name, value in (("unk_token", "[]"), ("eos_token", "3"), ("layer_norm_epsilon", '"x"')):
        (folder / "config.json").write_text(f'{{"add_source_eos": true, "{name}": {value}}}')
        assert name in refused(folder)


# ------------------------------------------------ safetensors


@pytest.mark.parametrize("family", ["t5", "bart", "marian"])
def test_tensors_of_other_shapes(tmp_path: Path, family: str) -> None:
    FAMILIES[family](tmp_path)
    path = tmp_path / "model.safetensors"
    whole = load_file(path)
    generator = random.Random(2)
    unread = ("final_logits_bias", "k_proj.bias", "embed_positions.weight")
    for name in generator.sample([n for n in sorted(whole) if not n.endswith(unread)], 25):
        other = torch.from_numpy(odd(generator, whole[name].numpy()))
        save_file({**whole, name: other}, path)
        refused(tmp_path)


def test_networks_of_transformers_hold_all_their_weights(tmp_path: Path) -> None:
    write_gpt2(tmp_path)
    path = tmp_path / "model.safetensors"
    whole = load_file(path)
    generator = random.Random(3)
    for name in generator.sample(sorted(whole), 8):
        save_file({n: t for n, t in whole.items() if n != name}, path)
        assert f"its weights must hold {name}" in refused(tmp_path)
        other = torch.from_numpy(odd(generator, whole[name].numpy()))
        save_file({**whole, name: other}, path)
        refused(tmp_path)
        save_file({**whole, name: whole[name].int()}, path)
        assert f"{name} must be of a floating-point type; got int32" in refused(tmp_path)
    name = "transformer.h.1.mlp.c_fc.weight"
    save_file({**whole, name.replace("h.1", "h.2"): whole[name].clone()}, path)
    assert "its config must have a place for transformer.h.2.mlp.c_fc.weight" in refused(tmp_path)
    save_file({**whole, "cls.seq_relationship.weight": torch.zeros(2)}, path)
    read_pretrained(tmp_path, device="cpu")  # of a head that it was trained with besides


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(
            (key, value)
            for key in ("n_layer", "n_head", "n_embd")
            for value in (1, 3, 10**6, 2**62)
        ),
        *(("vocab_size", value) for value in (3, 10**6, 10**12)),
        *(("n_positions", value) for value in (3, 10**6, 10**12)),
        *(("num_labels", value) for value in (10**9, -1)),
        ("n_inner", 10**9),
        ("layer_norm_epsilon", "x"),
        ("activation_function", "evil"),
    ],
)
def test_configs_of_networks_of_transformers(tmp_path: Path, key: str, value: object) -> None:
    write_gpt2(tmp_path)
    values = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**values, key: value}))
    if (key, value) in (("n_head", 1), ("num_labels", -1)):
        return  # a model of one head has weights of the same shapes
    refused(tmp_path)


def test_a_copy_is_whole(tmp_path: Path) -> None:
    """The folders that these tests change are read as they were."""
    write_gpt2(tmp_path)
    copy = shutil.copytree(tmp_path, tmp_path / "copy")
    read_pretrained(copy, device="cpu")
