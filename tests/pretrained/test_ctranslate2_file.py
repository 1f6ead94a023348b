from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from binary_files import binary, write_binary
from hypothesis import given
from hypothesis import strategies as st

from transduce.errors import ModelError
from transduce.pretrained.ctranslate2.model_file import BinaryModel, read_binary


def read(folder: Path, content: bytes) -> BinaryModel:
    return read_binary(write_binary(folder / "model.bin", content))


def test_every_type_becomes_float32(tmp_path: Path) -> None:
    rows = np.array([[1.5, -2.0, 0.25], [3.0, 100.0, -0.5]], dtype=np.float32)
    bfloat16 = (rows.view(np.uint32) >> 16).astype(np.uint16)  # these numbers lose nothing
    model = read(
        tmp_path,
        binary(
            {
                "a/weight": rows,
                "b/weight": rows.astype(np.float16),
                "c/weight": bfloat16,
                "d/weight": np.array([[10, -20], [127, 0]], np.int8),
                "d/weight_scale": np.array([2.0, 127.0], np.float32),
                "e/weight": np.array([[10, -20]], np.int16),
                "e/weight_scale": np.array(4.0, np.float32),
                "f/weight": np.array([[500, -1000]], np.int16),
                "g/heads": np.array(6, np.int16),
                "g/scale": np.array(0.125, np.float16),
            },
            {"h/weight": "d/weight"},
        ),
    )
    assert (model.specification, model.revision) == ("TransformerSpec", 7)
    for name in ("a/weight", "b/weight", "c/weight"):
        assert torch.equal(model.weight(name), torch.from_numpy(rows))
    assert model.weight("d/weight").tolist() == [[5, -10], [1, 0]]
    assert torch.equal(model.weight("h/weight"), model.weight("d/weight"))
    assert model.weight("e/weight").tolist() == [[2.5, -5]]
    assert model.weight("f/weight").tolist() == [[0.5, -1]]  # 1000 where no scale is stored
    assert (model.number("g/heads"), model.number("g/scale")) == (6, 0.125)
    assert model.number("g/none", 3) == 3
    assert model.optional("g/none") is None
    assert model.has("g")
    assert not model.has("g/head")
    assert model.weight("a/weight").dtype == torch.float32


@pytest.mark.parametrize("kind", ["float32", "float16", "bfloat16", "int16", "int8"])
def test_files_that_the_package_writes(tmp_path: Path, kind: str) -> None:
    specs = pytest.importorskip("ctranslate2.specs")
    spec = specs.TransformerSpec.from_config((1, 1), 2)
    generator = np.random.default_rng(0)
    weights: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float32]]] = {}

    def fill(layer: object, name: str, value: object) -> None:
        if value is None:
            drawn = generator.normal(size=(4, 4)).astype(np.float32)
            drawn = drawn if name.endswith(("weight", "encodings")) else drawn[0]
            weights[name] = drawn
            setattr(layer, name.split("/")[-1], drawn.copy())

    spec._visit(fill)
    for side in (spec.register_source_vocabulary, spec.register_target_vocabulary):
        side(["a", "b", "c", "d"])
    spec.validate()
    spec.optimize(kind)
    spec.save(str(tmp_path))
    model = read_binary(tmp_path / "model.bin")
    assert model.specification == "TransformerSpec"
    assert model.number("encoder/num_heads") == 2
    loss = {"float32": 1e-9, "float16": 2e-3, "bfloat16": 2e-2, "int16": 4e-3, "int8": 2e-2}[kind]
    for name, values in weights.items():
        np.testing.assert_allclose(model.weight(name).numpy(), values, atol=loss, err_msg=name)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "must be a readable file; it is empty"),
        (b"\x06\0", "must be whole; it ends at byte 2 inside its version"),
        (binary({}, version=7), "must be of version 1 to 6 of CTranslate2's format; got 7"),
        (
            binary({"a/weight": np.zeros((2, 2), np.float32)})[:-10],
            "must be whole; it ends at byte 65 inside a/weight",
        ),
        (binary({}, {"x": "y"})[:-1], "inside alias 0"),
    ],
)
def test_broken_files_are_named(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(ModelError, match=re.escape(message)) as caught:
        read(tmp_path, content)
    assert str(tmp_path / "model.bin") in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="No such file"):
        read_binary(tmp_path / "model.bin")


def test_what_a_variable_must_be_is_said(tmp_path: Path) -> None:
    wrong_type = bytearray(binary({"a": np.array(1.0, np.float32)}))
    wrong_type[-13] = 9
    with pytest.raises(ModelError, match="the type of a must be 0 to 5; got 9"):
        read(tmp_path, bytes(wrong_type))
    wrong_size = bytearray(binary({"a": np.array(1.0, np.float32)}))
    wrong_size[-12] = 5
    with pytest.raises(ModelError, match=r"a must be of 4 bytes by its shape \[\]; got 5"):
        read(tmp_path, bytes(wrong_size))
    model = read(
        tmp_path,
        binary({"a/weight": np.zeros((2, 2), np.int8), "b": np.zeros(2, np.float32)}),
    )
    with pytest.raises(ModelError, match="a/weight must have a scale as it is int8"):
        model.weight("a/weight")
    with pytest.raises(ModelError, match="TransformerSpec must hold c; it has none"):
        model.weight("c")
    with pytest.raises(ModelError, match=r"b must be one number; got \[2\]"):
        model.number("b")


@given(data=st.data())
def test_a_file_cut_anywhere_is_refused(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    whole = binary({"a/weight": np.ones((2, 3), np.float32), "b": np.array(1, np.int8)}, {"c": "b"})
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]
    with pytest.raises(ModelError, match=r"model\.bin"):
        read(tmp_path_factory.mktemp("cut"), cut)
