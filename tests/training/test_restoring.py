"""Checkpoints whose numbers lie: refused in one line that names the file, nothing is learnt on."""

from __future__ import annotations

import contextlib
import json
import math
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from transduce import Transducer
from transduce.config import Config
from transduce.errors import TransduceError
from transduce.workflow.corpora.corpora import open_corpora
from transduce.workflow.fitting.fit import fit

Change = Callable[[dict[str, Any]], object]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("run")
    words = ["ab", "abc", "cab", "bca", "acb", "ba", "cc", "a"]
    (home / "pairs.tsv").write_text("".join(f"{word}\t{word}\n" for word in words))
    train(home, home / "run", 2)
    return home


def train(home: Path, folder: Path, steps: int, *, resume: bool = False) -> None:
    recurrent = {"kind": "gru", "width": 8, "dropout": 0.0}
    pairs = str(home / "pairs.tsv")
    config = Config.from_mapping(
        {
            "data": {"train": pairs, "dev": pairs},
            "model": {"encoder": recurrent, "decoder": recurrent},
            "training": {"max_steps": steps, "batch_tokens": 64, "evaluate_every": 2},
            "search": {"max_length": 4},
        }
    )
    fit(config, open_corpora(config), folder, resume=resume, say=lambda _: None)


@pytest.fixture
def checkpoint(home: Path, tmp_path: Path) -> Path:
    shutil.copytree(home / "run", tmp_path / "run")
    (newest,) = sorted((tmp_path / "run" / "training").glob("checkpoint-*"))[-1:]
    (newest / "SHA256SUMS").unlink()  # which would tell
    return newest


def refused(home: Path, checkpoint: Path) -> str:
    with pytest.raises(TransduceError) as caught:
        train(home, checkpoint.parent.parent, 4, resume=True)
    message = str(caught.value)
    assert str(checkpoint) in message
    assert "\n" not in message
    return message


def change_state(checkpoint: Path, change: Change) -> None:
    state = json.loads((checkpoint / "state.json").read_text())
    change(state)
    (checkpoint / "state.json").write_text(json.dumps(state))


def change_tensor(checkpoint: Path, group: str, name: str, tensor: Tensor | None) -> None:
    path = checkpoint / f"{group}.safetensors"
    tensors = {**load_file(path)}
    if tensor is None:
        del tensors[name]
    else:
        tensors[name] = tensor
    save_file(tensors, path)


@pytest.mark.parametrize(
    "change",
    [
        lambda s: s.clear(),
        lambda s: s["position"].update(step=-1),
        lambda s: s["position"].update(step=2.0),
        lambda s: s["position"].update(step=2**63),
        lambda s: s["position"].update(batch="2"),
        lambda s: s["position"].update(batch=1000),  # more than an epoch has
        lambda s: s["position"].update(epoch=True),
        lambda s: s["position"].update(minutes=math.nan),
        lambda s: s["position"].update(seconds_in_steps=math.inf),
        lambda s: s["position"].update(scoring_minutes=-1.0),
        lambda s: s["position"].update(scored_step="2"),
        lambda s: s["position"].update(history={}),
        lambda s: s["position"].update(history=[1]),
        lambda s: s["position"].update(history=[{"loss": "x"}]),
        lambda s: s["position"].update(more=1),
        lambda s: s["position"].pop("epoch"),
        lambda s: s.update(position=[]),
        lambda s: s["selection"].update(misses=-1),
        lambda s: s["selection"].update(misses=None),
        lambda s: s["selection"].update(step="x"),
        lambda s: s["selection"].update(metrics={}),
        lambda s: s["selection"].update(metrics={"loss": None}),
        lambda s: s.pop("selection"),
        lambda s: s.update(config=[]),
        lambda s: s.update(fingerprint=None),
    ],
)
def test_states_that_lie(home: Path, checkpoint: Path, change: Change) -> None:
    change_state(checkpoint, change)
    refused(home, checkpoint)


@pytest.mark.parametrize(
    ("group", "name", "tensor", "message"),
    [
        ("weights", "output.bias", torch.zeros(1), "output.bias must be of shape"),
        ("weights", "output.bias", None, "weights must hold output.bias"),
        ("weights", "output.bias", torch.zeros(7).int(), "must be of type float32; got int32"),
        ("weights", "output.bias", torch.full((7,), math.nan), "must hold finite numbers; got NaN"),
        (
            "optimizer",
            "exp_avg.output.bias",
            torch.zeros(1),
            "must be float32 [7]; got float32 [1]",
        ),
        ("optimizer", "exp_avg.output.bias", None, "must hold exp_avg.output.bias; it does not"),
        ("optimizer", "exp_avg_sq.output.bias", torch.full((7,), math.inf), "finite numbers"),
        ("optimizer", "step.output.bias", torch.zeros(2), "must be float32 []; got float32 [2]"),
        ("average", "output.bias", torch.zeros(1), "must be float32 [7]; got float32 [1]"),
        ("average", "output.bias", torch.full((7,), math.nan), "finite numbers; got NaN"),
        ("average", "#steps", None, "checkpoint must hold #steps; it does not"),
        ("average", "#steps", torch.tensor(-1), "#steps must be at least 0; got -1"),
        ("average", "#steps", torch.tensor(1.5), "must be int64 []; got float32 []"),
        ("random", "cpu.0", None, "checkpoint must hold cpu.0; it does not"),
        ("random", "cpu.0", torch.zeros(3, dtype=torch.uint8), "cpu.0 must be uint8"),
    ],
)
def test_tensors_that_lie(
    home: Path, checkpoint: Path, group: str, name: str, tensor: Tensor | None, message: str
) -> None:
    change_tensor(checkpoint, group, name, tensor)
    assert message in refused(home, checkpoint)


def test_what_is_whole_goes_on(home: Path, checkpoint: Path) -> None:
    def infinite(state: dict[str, Any]) -> None:
        state["position"]["history"][0]["perplexity"] = math.inf

    change_state(checkpoint, infinite)  # a score may be
    train(home, checkpoint.parent.parent, 4, resume=True)
    assert Transducer.load(checkpoint.parent.parent).trained_.report["training"]["steps"] == 4


def test_a_state_as_it_was_written_before_goes_on(home: Path, checkpoint: Path) -> None:
    def older(state: dict[str, Any]) -> None:
        state["position"]["part"] = state["position"].pop("interval")

    change_state(checkpoint, older)
    train(home, checkpoint.parent.parent, 4, resume=True)
    assert Transducer.load(checkpoint.parent.parent).trained_.report["training"]["steps"] == 4


def test_nothing_but_our_errors(home: Path, checkpoint: Path) -> None:
    """Any value in the place of any other of a state."""
    generator = random.Random(2)
    kept = (checkpoint / "state.json").read_text()
    odd: list[Any] = [None, True, -1, 0, 3, 1.5, 2**63, "", "x", [], {}, [1], {"loss": 1.0}]
    for _ in range(25):
        state = json.loads(kept)
        place, key = generator.choice(list(places(state)))
        place[key] = generator.choice(odd)
        (checkpoint / "state.json").write_text(json.dumps(state))
        folder = checkpoint.parent.parent
        copy = Path(shutil.copytree(folder, folder.with_name("again")))
        with contextlib.suppress(TransduceError):
            train(home, copy, 4, resume=True)
        shutil.rmtree(copy)


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every container of a JSON value with every key."""
    for key in list(value) if isinstance(value, dict) else range(len(value)):
        yield value, key
        if isinstance(value[key], dict | list):
            yield from places(value[key])
