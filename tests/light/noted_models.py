"""Small models of each kind that can predict without torch, their files and what is noted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from transduce.compress import shrunk
from transduce.config import EngineChoice, ModelConfig, WeightNumber
from transduce.engine.choice import engine_of
from transduce.engine.stepper import EngineStepper
from transduce.models.blueprint import blueprint
from transduce.models.build import build_model
from transduce.models.storage import named_weights, read_weights, save_weights
from transduce.untrusted.tensors import TensorFile

SIZE = 40
ROWS = [[5, 6, 7, 8], [9, 10], [11, 12, 13, 14, 15, 16, 7, 8, 9]]
_SIDES = ("encoder", "decoder")
_STACK = {"kind": "transformer", "layers": 2, "width": 32, "feedforward": 64, "heads": 4}


def _recurrent(kind: str, **options: Any) -> dict[str, Any]:
    sizes = {"kind": kind, "width": 32, "layers": 2}
    return {"encoder": sizes, "decoder": {**sizes, **options}}


KINDS: dict[str, dict[str, Any]] = {
    "transformer": {"encoder": _STACK, "decoder": _STACK},
    "tied": {"encoder": _STACK, "decoder": _STACK, "tie": "all"},
    "other layers": {
        "encoder": {
            **_STACK,
            "positions": "rotary",
            "norm": "rms",
            "activation": "swiglu",
            "window": 1,
        },
        "decoder": {**_STACK, "positions": "learned", "max_positions": 40, "key_value_heads": 2},
        "tie": "target",
    },
    "ssru": {"encoder": {**_STACK, "positions": "fairseq"}, "decoder": {**_STACK, "kind": "ssru"}},
    "mingru": {
        side: {"kind": "mingru", "layers": 2, "width": 32, "feedforward": 64} for side in _SIDES
    },
    "mamba": {
        "encoder": {"kind": "mamba", "layers": 2, "width": 32, "feedforward": 64},
        "decoder": _STACK,
    },
    "linear": {"encoder": {**_STACK, "attention": "linear"}, "decoder": _STACK},
    "lstm": _recurrent("lstm", attention="additive", input_feeding=True),
    "gru": _recurrent("gru", attention="multihead", heads=4),
    "rnn": _recurrent("rnn", attention="none", bridge="copy"),
    "dot": _recurrent("lstm", attention="dot", bridge="zero"),
    "general": _recurrent("lstm", attention="general"),
}


def written(kind: str, stored: WeightNumber, path: Path) -> None:
    """A file of weights of a model that has learned nothing."""
    torch.manual_seed(3)
    model = build_model(ModelConfig.model_validate(KINDS[kind]), SIZE, SIZE)
    weights = named_weights(model)
    save_weights({name: shrunk(weight, stored) for name, weight in weights.items()}, path)


def noted(
    kind: str, stored: WeightNumber, engine: EngineChoice, path: Path
) -> tuple[EngineStepper, dict[str, Any]]:
    """The model of such a file as it always was, and what is noted of it, by way of JSON."""
    with TensorFile(path) as file:
        with blueprint(len(file.entries), path.parent):
            model = build_model(ModelConfig.model_validate(KINDS[kind]), SIZE, SIZE)
        read_weights(model, file, stored)
    _, stepper = engine_of(model.eval(), engine)
    assert isinstance(stepper, EngineStepper)
    data = stepper.noted()
    assert data is not None
    data["shapes"] = {name: list(weight.shape) for name, weight in model.named_parameters()}
    return stepper, json.loads(json.dumps(data))
