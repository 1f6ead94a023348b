"""A shrunk model is a model: saved, read, checked, answered with, explained, trained on from."""

from __future__ import annotations

import gzip
import json
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch

from command_line import call
from small_runs import tiny, train_tiny, words, write_reversals
from transduce.commands.show import show
from transduce.compress import Shrunk, floats_of
from transduce.config import Config
from transduce.errors import ConfigError, ModelError
from transduce.files import SUMS
from transduce.tokenization.tokenizer import Tokenizer
from transduce.transducer import Transducer
from transduce.workflow.corpora.corpora import open_corpora
from transduce.workflow.fitting.beginning import LearntFrom
from transduce.workflow.fitting.fit import fit
from transduce.workflow.shrinking import shrink, weight_sizes
from transduce.workflow.trained import TrainedModel

NUMBERS = ["bfloat16", "int8", "int4"]
SOURCES = ["abc", "dd", "bca"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("whole")
    pairs = write_reversals(home / "pairs.tsv", words(1, 40))
    train_tiny(tiny({"train": pairs, "dev_fraction": 0.3}, steps=20), home / "model")
    for number in NUMBERS:
        shrink(TrainedModel.load(home / "model", "cpu"), number).save(home / number)
    return home


def answers(trained: TrainedModel) -> list[str]:
    return [best.text for best, *_ in trained.predict(SOURCES, trained.config.search)]


@pytest.mark.parametrize("number", NUMBERS)
def test_it_is_read_as_it_was_made(whole: Path, number: str) -> None:
    made = shrink(TrainedModel.load(whole / "model", "cpu"), number)
    read = TrainedModel.load(whole / number, "cpu")
    assert read.config.weights == number
    for (name, one), (_, other) in zip(
        made.model.named_parameters(), read.model.named_parameters(), strict=True
    ):
        assert isinstance(one, Shrunk) == isinstance(other, Shrunk), name
        assert torch.equal(floats_of(one), floats_of(other)), name
    assert answers(read) == answers(made)
    assert number in show(whole / number)
    assert "in float32: " in show(whole / number)
    sizes, floats = weight_sizes(read), (whole / "model" / "model.safetensors").stat().st_size
    assert sizes.rounded_bytes < 4 * sizes.rounded
    assert (whole / number / "model.safetensors").stat().st_size < floats


def test_a_saved_one_saved_again_is_the_same_file(whole: Path, tmp_path: Path) -> None:
    TrainedModel.load(whole / "int8", "cpu").save(tmp_path / "again")
    name = "model.safetensors"
    assert (tmp_path / "again" / name).read_bytes() == (whole / "int8" / name).read_bytes()


def test_tokenizers_are_packed(whole: Path, tmp_path: Path) -> None:
    for side in ("source", "target"):
        plain = (whole / "model" / f"{side}.tokenizer.json").read_bytes()
        packed = whole / "int8" / f"{side}.tokenizer.json.gz"
        assert gzip.decompress(packed.read_bytes()) == plain
        assert not packed.with_suffix("").exists()
        assert packed.name in (whole / "int8" / SUMS).read_text()
    shutil.copytree(whole / "int8", tmp_path / "model")
    TrainedModel.load(whole / "model", "cpu").save(tmp_path / "model")  # in its place
    assert not [*(tmp_path / "model").glob("*.gz")]


def test_tokenizers_of_older_models_are_plain(whole: Path, tmp_path: Path) -> None:
    shutil.copytree(whole / "int8", tmp_path / "model")
    for side in ("source", "target"):
        (tmp_path / "model" / f"{side}.tokenizer.json.gz").unlink()
        shutil.copy(whole / "model" / f"{side}.tokenizer.json", tmp_path / "model")
    (tmp_path / "model" / SUMS).unlink()
    old = TrainedModel.load(tmp_path / "model", "cpu")
    assert answers(old) == answers(TrainedModel.load(whole / "int8", "cpu"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{}", r"gz: tokenizer must be readable; it must be gzip data$"),
        (gzip.compress(b"{}")[:-4], r"readable; it must be gzip data, one whole stream"),
        (gzip.compress(b"{}") + b"more", r"readable; it must be gzip data, one whole stream"),
        (gzip.compress(bytes(1 << 27)), r"readable; it must have \d+ MB at most; got more, packed"),
        (gzip.compress(b"\xff"), r"gz: tokenizer must be UTF-8 text"),
    ],
    ids=["plain", "cut", "followed", "bomb", "not-utf-8"],
)
def test_packed_tokenizers_are_not_trusted(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "source.tokenizer.json.gz"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=message):
        Tokenizer.load(path)


def test_it_answers_when_its_files_are_gone(whole: Path, tmp_path: Path) -> None:
    shutil.copytree(whole / "int8", tmp_path / "model")
    trained = TrainedModel.load(tmp_path / "model", "cpu")
    shutil.rmtree(tmp_path / "model")
    assert answers(trained) == answers(TrainedModel.load(whole / "int8", "cpu"))


def test_a_file_that_was_cut_is_an_error(whole: Path, tmp_path: Path) -> None:
    shutil.copytree(whole / "int8", tmp_path / "model")
    trained = TrainedModel.load(tmp_path / "model", "cpu")
    with (tmp_path / "model" / "model.safetensors").open("r+b") as file:
        file.truncate(3000)
    with pytest.raises(ModelError, match=r"model\.safetensors: weights must stay readable"):
        answers(trained)


def test_explanations_and_attention(whole: Path) -> None:
    model = Transducer.load(whole / "int8")
    assert model.explain("abc") is not None
    assert len(numpy.asarray(model.attention("abc", "cba"))) == 4


def test_training_goes_on_in_floats(
    whole: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = Config.from_mapping(
        {
            "data": {"train": str(whole / "pairs.tsv"), "dev_fraction": 0.3},
            "model": {"from": str(whole / "int8")},
            "training": {"max_steps": 1, "batch_tokens": 64, "precision": "float32"},
        }
    )
    base = LearntFrom(TrainedModel.load(whole / "int8", "cpu"))
    trained = fit(config, open_corpora(config), tmp_path / "run", learnt_from=base)
    assert trained.config.weights == "float32"
    assert not any(isinstance(weight, Shrunk) for weight in trained.model.parameters())
    assert "model.from has int8 weights: training goes on in float32" in caplog.text


def test_what_is_refused(whole: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="must have float32 weights to be shrunk; got int8"):
        shrink(TrainedModel.load(whole / "int8", "cpu"), "int4")
    config = tiny({"train": whole / "pairs.tsv", "dev_fraction": 0.3}).updated({"weights": "int8"})
    with pytest.raises(ConfigError, match="weights must be float32 where a model is trained"):
        fit(config, open_corpora(config), tmp_path / "run")
    trained = TrainedModel.load(whole / "model", "cpu")
    with torch.no_grad():
        trained.model.output.weight[2, 3] = 3.4e38
    for number in ("bfloat16", "int4"):
        with pytest.raises(ModelError, match=f"output.weight must fit {number}; got 3.4e"):
            shrink(trained, number)


def test_the_command(
    whole: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = tmp_path / "small"
    assert call(monkeypatch, "shrink", whole / "model", "-o", out, "--weights", "int8") == 0
    assert "bytes a weight" in capsys.readouterr().out
    assert call(monkeypatch, "shrink", whole / "model", "-o", out, "--weights", "int8") != 0
    assert "--output must be a new directory" in capsys.readouterr().err
    assert call(monkeypatch, "shrink", whole / "model", "-o", out, "--weights", "int3") != 0
    assert "--weights must be one of bfloat16, int8, int4; got 'int3'" in capsys.readouterr().err


# ------------------------------------------------ files that lie


def header_of(content: bytes) -> tuple[dict[str, Any], bytes]:
    size = struct.unpack("<Q", content[:8])[0]
    return json.loads(content[8 : 8 + size]), content[8 + size :]


Change = Callable[[dict[str, Any], bytearray], object]
NAME = "output.weight"


def scaled(number: float, kind: str = "<f") -> Change:
    def change(header: dict[str, Any], body: bytearray) -> None:
        start = header[f"{NAME}.scale"]["data_offsets"][0]
        body[start : start + struct.calcsize(kind)] = struct.pack(kind, number)

    return change


def retyped(name: str, kind: str) -> Change:
    return lambda header, body: header[name].update(dtype=kind)


@pytest.mark.parametrize(
    ("number", "change", "expected"),
    [
        ("int8", scaled(0.0), "output.weight.scale must hold finite numbers above 0; got 0.0"),
        ("int8", scaled(-1.0), "output.weight.scale must hold finite numbers above 0; got -1.0"),
        ("int8", scaled(float("nan")), "must hold finite numbers above 0; got nan"),
        ("int4", scaled(float("inf"), "<e"), "must hold finite numbers above 0; got inf"),
        ("int8", retyped(NAME, "U8"), "output.weight must be of type int8; got uint8"),
        ("int4", retyped(NAME, "I8"), "output.weight must be of type uint8; got int8"),
        ("bfloat16", retyped(NAME, "F16"), "output.weight must be of type bfloat16; got float16"),
        (
            "int8",
            lambda header, body: header.update(other=header.pop(f"{NAME}.scale")),
            "weights must hold output.weight.scale, as weights: int8 says",
        ),
        (
            "int8",
            lambda header, body: header[f"{NAME}.scale"].update(
                shape=[1, *header[f"{NAME}.scale"]["shape"]]
            ),
            "output.weight.scale must be of shape",
        ),
        (
            "int4",
            lambda header, body: header[NAME].update(shape=header[NAME]["shape"][::-1]),
            "output.weight must be of shape",
        ),
    ],
)
def test_files_that_lie(
    whole: Path, tmp_path: Path, number: str, change: Change, expected: str
) -> None:
    shutil.copytree(whole / number, tmp_path / "model")
    (tmp_path / "model" / SUMS).unlink()
    path = tmp_path / "model" / "model.safetensors"
    header, body = header_of(path.read_bytes())
    changed = bytearray(body)
    change(header, changed)
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + changed)
    with pytest.raises(ModelError) as caught:
        TrainedModel.load(tmp_path / "model", "cpu")
    assert expected in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("said", "held"), [("float32", "int8"), ("int8", "model"), ("int4", "int8")]
)
def test_a_config_that_lies(whole: Path, tmp_path: Path, said: str, held: str) -> None:
    shutil.copytree(whole / held, tmp_path / "model")
    config = tmp_path / "model" / "config.yaml"
    text = config.read_text()
    before = "float32" if held == "model" else held
    config.write_text(text.replace(f"\nweights: {before}", f"\nweights: {said}"))
    with pytest.raises(ModelError):
        TrainedModel.load(tmp_path / "model", "cpu")
