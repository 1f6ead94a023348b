"""Model directories whose files lie: one line says which, and nothing is built or answered."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from small_runs import tiny, train_tiny, words, write_reversals
from transduce.commands.show import show
from transduce.errors import TransduceError
from transduce.workflow.trained import TrainedModel

Change = Callable[[dict[str, Any]], object]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("whole")
    pairs = write_reversals(home / "pairs.tsv", words(1, 40))
    train_tiny(tiny({"train": pairs, "dev_fraction": 0.3}), home / "model")
    return home / "model"


@pytest.fixture
def model(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "model"))


def refused(model: Path) -> str:
    with pytest.raises(TransduceError) as caught:
        TrainedModel.load(model, "cpu")
    message = str(caught.value)
    assert str(model) in message
    assert "\n" not in message
    return message.removeprefix(f"{model}/").removeprefix(f"{model}: ")


def change_config(model: Path, change: Change) -> None:
    values = yaml.safe_load((model / "config.yaml").read_text())
    change(values)
    (model / "config.yaml").write_text(yaml.safe_dump(values))


@pytest.mark.parametrize("side", ["encoder", "decoder"])
@pytest.mark.parametrize("key", ["width", "layers"])
@pytest.mark.parametrize("value", [2, 7, 10**4, 10**6, 10**9, 10**12, 2**62, 2**63, 10**30])
def test_sizes_in_the_config(model: Path, side: str, key: str, value: int) -> None:
    change_config(model, lambda values: values["model"][side].update({key: value}))
    refused(model)


@pytest.mark.parametrize("value", [1, 10**9, 2**62])
def test_other_sizes_in_the_config(model: Path, value: int) -> None:
    change_config(model, lambda values: values["model"].update(embedding_width=value))
    refused(model)


def test_tensors_that_were_relabelled(model: Path) -> None:
    weights = model / "model.safetensors"
    weights.write_bytes(weights.read_bytes().replace(b'"F32"', b'"I32"'))
    assert "must be of type float32; got int32" in refused(model)


def test_a_weight_that_is_no_number(model: Path) -> None:
    weights = model / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-4:] = b"\xff\xff\xff\xff"
    weights.write_bytes(content)
    assert "must hold finite numbers; got NaN" in refused(model)


# ------------------------------------------------ reports


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every container of a JSON value with every key."""
    for key in list(value) if isinstance(value, dict) else range(len(value)):
        yield value, key
        if isinstance(value[key], dict | list):
            yield from places(value[key])


ODD: list[Any] = [None, True, 0, -1, 1.5, 2**63, 10**30, "", "a", [], [1], {}, {"a": 1}, [[]]]
MORE: dict[str, Any] = {
    "test": {
        "metrics": {"bleu": 1.0, "loss": 2.0},
        "parts": {"a": {"metrics": {"bleu": 1.0}}, "b": {"metrics": {"bleu": 3.0}}},
    },
    "imported": {"family": "x"},
}


def test_a_report_may_hold_anything(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trained = TrainedModel.load(model, "cpu")
    whole = json.loads((model / "report.json").read_text()) | MORE
    whole["data"] |= {"filtered": {"length": 3}, "parts": {"a": {"train_pairs": 3}}}
    whole["training"]["best"] = {"loss": 1.0, "bleu/a": 2.0, "bleu": 3.0}
    monkeypatch.setattr("transduce.commands.show.load_trained", lambda _: trained)
    generator = random.Random(1)
    for _ in range(100):
        trained.report = json.loads(json.dumps(whole))
        for _ in range(generator.choice([1, 1, 3])):
            place, key = generator.choice(list(places(trained.report)))
            place[key] = generator.choice(ODD)
        assert "parameters" in show(model)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "report.json must hold a JSON object"),
        ("{", "report.json must be readable JSON"),
        ('{"a":' * 1000 + "1" + "}" * 1000, "must be nested 64 deep at most"),
    ],
)
def test_a_report_that_is_none(model: Path, text: str, message: str) -> None:
    (model / "report.json").write_text(text)
    assert message in refused(model)


def test_numbers_that_a_report_may_not_have(model: Path) -> None:
    (model / "report.json").write_text('{"training": {"loss": NaN, "minutes": 1e999}}')
    assert TrainedModel.load(model, "cpu").report == {"training": {"loss": None, "minutes": None}}
