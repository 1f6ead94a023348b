"""Training with weights as they will be stored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from training_fakes import ONLY_TARGETS, ToyBatches, ToyModel, ToyScore, toy_config, weights_of

from transduce.compress import floats_of, shrunk
from transduce.compress.emulated_rounding import EmulatedRounding
from transduce.models.storage import named_weights
from transduce.training.loop import train

NUMBERS = ["int8", "int4"]


def run(folder: Path, model: nn.Module, score: Any = None, **options: Any) -> None:
    resume = options.pop("resume", False)
    config, score = toy_config(**options), score or ToyScore()
    train(model, ONLY_TARGETS, ToyBatches(), config, folder, score, resume=resume)


def emulated(model: nn.Module, number: str) -> EmulatedRounding:
    return EmulatedRounding(named_weights(model).values(), number)


class Seen:
    """What the trainer's forward pass gave at each dev scoring."""

    def __init__(self) -> None:
        self.batch = next(iter(ToyBatches(pairs=20, size=20, seed=7).iterate(0)))
        self.logits: list[Tensor] = []

    def logits_of(self, model: nn.Module) -> Tensor:
        return model(self.batch.source, self.batch.target_input)

    def __call__(self, model: nn.Module) -> dict[str, float]:
        self.logits.append(self.logits_of(model).clone())
        return {"loss": -float(len(self.logits))}  # the last is the best


@pytest.mark.parametrize("average", ["none", "ema", "last"])
@pytest.mark.parametrize("number", NUMBERS)
def test_shrunk_it_says_what_the_trainer_saw(tmp_path: Path, number: str, average: str) -> None:
    seen = Seen()
    options = {"max_steps": 6, "evaluate_every": 2, "average": average, "learning_rate": 0.05}
    run(tmp_path, ToyModel(), seen, weights=number, **options)
    saved, small, whole = load_file(tmp_path / "model.safetensors"), ToyModel(), ToyModel()
    whole.load_state_dict(saved)
    small.load_state_dict({name: floats_of(shrunk(w, number)) for name, w in saved.items()})
    with torch.no_grad():
        assert torch.equal(seen.logits_of(small.eval()), seen.logits[-1])
        assert not torch.equal(seen.logits_of(whole.eval()), seen.logits[-1])


@pytest.mark.parametrize("number", NUMBERS)
def test_the_gradient_is_that_at_the_rounded_weights(number: str) -> None:
    torch.manual_seed(0)
    layer, x, y = nn.Linear(40, 6).double().float(), torch.randn(5, 40), torch.randn(5, 6)
    before = [p.detach().clone() for p in layer.parameters()]
    with emulated(layer, number).applied():
        assert torch.equal(layer.weight, floats_of(shrunk(before[0], number)))
        assert torch.equal(layer.bias, before[1])
        (layer(x) - y).square().sum().backward()
    assert torch.equal(layer.weight, before[0])
    rounded = floats_of(shrunk(before[0], number)).double().numpy()
    error = x.double().numpy() @ rounded.T + before[1].numpy() - y.double().numpy()
    np.testing.assert_allclose(layer.weight.grad, 2 * error.T @ x.numpy(), rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(layer.bias.grad, 2 * error.sum(0), rtol=1e-5, atol=1e-4)


def test_a_step_starts_from_the_weights_themselves() -> None:
    """What moves them by less than a rounding step is not lost."""
    layer = nn.Linear(32, 2, bias=False)
    before = layer.weight.detach().clone()
    rounding, step = emulated(layer, "int4"), torch.optim.SGD(layer.parameters(), 1e-6)
    with rounding.applied():
        layer.weight.square().sum().backward()
    step.step()
    wanted = before - 1e-6 * 2 * floats_of(shrunk(before, "int4"))
    torch.testing.assert_close(layer.weight.detach(), wanted, rtol=0, atol=1e-8)
    assert not torch.equal(layer.weight, before)


def test_tied_weights_and_what_is_frozen_are_rounded_once() -> None:
    model = ToyModel()
    model.output.weight = model.embedding.weight
    model.recurrent.requires_grad_(False)
    wanted = floats_of(shrunk(model.embedding.weight.detach().clone(), "int4"))
    with emulated(model, "int4").applied():
        assert model.output.weight is model.embedding.weight
        assert torch.equal(model.output.weight, wanted)
        frozen = model.recurrent.weight_hh_l0.detach().clone()
    assert not torch.equal(model.recurrent.weight_hh_l0, frozen)


def test_an_error_leaves_the_weights_what_they_were() -> None:
    model = ToyModel()
    before = model.embedding.weight.detach().clone()
    with pytest.raises(ZeroDivisionError), emulated(model, "int8").applied():
        raise ZeroDivisionError
    assert torch.equal(model.embedding.weight, before)


@pytest.mark.parametrize("number", NUMBERS)
def test_interrupted_and_resumed_is_uninterrupted(tmp_path: Path, number: str) -> None:
    options = {"average": "ema", "evaluate_every": 3, "schedule": "constant", "weights": number}
    run(tmp_path / "whole", ToyModel(0.3), max_steps=12, **options)
    run(tmp_path / "cut", ToyModel(0.3), max_steps=6, **options)
    run(tmp_path / "cut", ToyModel(0.3, seed=9), max_steps=12, resume=True, **options)
    assert weights_of(tmp_path / "whole") == weights_of(tmp_path / "cut")
    run(tmp_path / "plain", ToyModel(0.3), max_steps=12, **{**options, "weights": "float32"})
    assert weights_of(tmp_path / "plain") != weights_of(tmp_path / "whole")


def test_without_it_nothing_is_copied() -> None:
    model = ToyModel()
    with emulated(model, "float32").applied():
        version = model.embedding.weight._version
    assert model.embedding.weight._version == version
