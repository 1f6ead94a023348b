"""Muon and what it leaves to AdamW: the equations, which weights, resuming, a model that learns."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from training_fakes import (
    ONLY_TARGETS,
    ToyBatches,
    ToyModel,
    ToyScore,
    toy_config,
    toy_loss,
    weights_of,
)

from architectures import ARCHITECTURES, make_model
from transduce.config import Config
from transduce.config.recipe import require_agreement
from transduce.errors import ConfigError, ModelError
from transduce.training.chunks.team import Job, Team
from transduce.training.loop import train
from transduce.training.optimizers.adamw import AdamW
from transduce.training.optimizers.chosen_optimizer import choose_optimizer
from transduce.training.optimizers.matrices import Matrix, hidden_matrices
from transduce.training.optimizers.muon import Muon
from transduce.training.optimizers.orthogonal import orthogonalized

A, B, C = 3.4445, -4.7750, 2.0315


def at_once(jobs: Sequence[Job]) -> None:
    for job in jobs:
        job()


def newton_schulz(matrix: np.ndarray) -> np.ndarray:
    """Its steps for one matrix."""
    found = matrix / np.linalg.norm(matrix)
    for _ in range(5):
        gram = found @ found.T
        found = A * found + (B * gram + C * gram @ gram) @ found
    return found


# ---------------------------------------------------------------- the equations, in NumPy


def test_orthogonal_matrices_are_those_of_the_iteration() -> None:
    random = np.random.default_rng(1).normal(size=(3, 4, 6))
    found = orthogonalized(torch.from_numpy(random)).numpy()
    for matrix, one in zip(random, found, strict=True):
        np.testing.assert_allclose(one, newton_schulz(matrix), rtol=1e-12)
        left, values, right = np.linalg.svd(matrix, full_matrices=False)
        assert values[-1] > 0.1 * values[0]
        np.testing.assert_allclose(left.T @ one @ right.T, np.eye(4), atol=0.35)
    assert not orthogonalized(torch.zeros(2, 3, 3)).any()


def muon_of(matrices: list[Matrix], rest: dict[str, Tensor], **options: Any) -> Muon:
    others = AdamW(rest, (0.9, 0.98), 0.0)
    given: dict[str, Any] = {"rate": 2.0, "weight_decay": 0.0, "dtype": torch.float64}
    return Muon(matrices, others, **{**given, **options})


@pytest.mark.parametrize("shape", [(3, 5), (5, 3), (6, 2, 2)])
def test_steps_are_those_of_the_equation(shape: tuple[int, ...]) -> None:
    torch.manual_seed(2)
    weight = nn.Parameter(torch.randn(shape).double())
    matrix = Matrix("w", weight, blocks=3 if shape[0] == 6 else 1)
    other = nn.Parameter(torch.randn(4).double())
    optimizer = muon_of([matrix], {"b": other}, weight_decay=0.5)
    rows, expected = shape[0] // matrix.blocks, weight.detach().numpy().copy()
    momentum = np.zeros(shape)
    for _ in range(3):
        weight.grad, other.grad = torch.randn(shape).double(), torch.ones(4).double()
        gradient = weight.grad.numpy()
        momentum = 0.95 * momentum + 0.05 * gradient
        way = 0.05 * gradient + 0.95 * momentum
        optimizer.step(0.1, at_once)
        change = np.zeros(shape)
        for block in range(matrix.blocks):
            own = slice(block * rows, (block + 1) * rows)
            one = way[own].reshape(rows, -1)
            flat = newton_schulz(one) if one.shape[0] <= one.shape[1] else newton_schulz(one.T).T
            change[own] = (0.2 * max(one.shape) ** 0.5 * flat).reshape(way[own].shape)
        expected = (1 - 0.2 * 0.5) * expected - 0.2 * change
        np.testing.assert_allclose(weight.detach().numpy(), expected, rtol=1e-10)
    assert other.grad is not None
    optimizer.clear()
    assert weight.grad is None
    assert other.grad is None


def test_a_weight_without_a_gradient_stays() -> None:
    weights = [nn.Parameter(torch.randn(3, 3)) for _ in range(2)]
    matrices = [Matrix(str(n), weight) for n, weight in enumerate(weights)]
    optimizer = muon_of(matrices, {"b": nn.Parameter(torch.ones(1))}, dtype=torch.float32)
    before = weights[1].detach().clone()
    weights[0].grad = torch.ones(3, 3)
    optimizer.step(0.1, at_once)
    assert torch.equal(weights[1], before)


# ---------------------------------------------------------------- which weights


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_weight_has_one_optimizer(name: str) -> None:
    model = make_model(ARCHITECTURES[name]).train()
    matrices = hidden_matrices(model)
    names = [matrix.name for matrix in matrices]
    assert len(names) == len(set(names))
    known = dict(model.named_parameters())
    assert all(known[matrix.name] is matrix.weight for matrix in matrices)
    tables = ("embedding.weight", "ctc.project.weight", "positions.weight", "relative.weight")
    assert not [one for one in names if one == "output.weight" or one.endswith((*tables, "bias"))]
    assert all(min(one.cut(one.weight).shape[1:]) > 1 for one in matrices)
    config = toy_config(max_steps=1, optimizer="muon")
    optimizer = choose_optimizer(config, model, "float32")
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    before = {key: p.detach().clone() for key, p in model.named_parameters()}
    optimizer.step(0.1, at_once)
    assert [key for key, p in model.named_parameters() if torch.equal(p, before[key])] == []


def test_gates_are_matrices_of_their_own() -> None:
    for kind, gates in (("gru", 3), ("lstm", 4)):
        model = make_model(ARCHITECTURES[f"{kind}-{'general' if gates == 3 else 'none'}"])
        blocks = {one.name.split(".")[-1]: one.blocks for one in hidden_matrices(model)}
        assert blocks["weight_ih_l0"] == blocks["weight_hh_l0"] == gates


def test_frozen_and_tied_weights_are_left_out() -> None:
    model = make_model(ARCHITECTURES["transformer"])
    every = len(hidden_matrices(model))
    layer = model.encoder.layers[0].feedforward.inner
    layer.weight.requires_grad_(False)
    assert len(hidden_matrices(model)) == every - 1
    assert len(hidden_matrices(nn.Sequential(layer, layer))) == 0
    layer.weight.requires_grad_(True)
    assert len(hidden_matrices(nn.Sequential(layer, layer))) == 1


# ---------------------------------------------------------------- training by it


def run(folder: Path, steps: int, model: ToyModel, *, resume: bool = False, **options: Any) -> None:
    config = toy_config(max_steps=steps, schedule="constant", evaluate_every=5, **options)
    batches = ToyBatches()
    train(model, ONLY_TARGETS, batches, config, folder, ToyScore(), resume=resume)


def test_resumed_is_uninterrupted(tmp_path: Path) -> None:
    run(tmp_path / "whole", 12, ToyModel(), optimizer="muon")
    run(tmp_path / "cut", 7, ToyModel(), optimizer="muon")
    run(tmp_path / "cut", 12, ToyModel(seed=1), resume=True, optimizer="muon")
    assert weights_of(tmp_path / "cut") == weights_of(tmp_path / "whole")


def test_bits_do_not_depend_on_threads() -> None:
    found = []
    for threads in (1, 2):
        torch.manual_seed(0)
        weights = [nn.Parameter(torch.randn(20, 20)) for _ in range(10)]
        matrices = [Matrix(str(n), weight) for n, weight in enumerate(weights)]
        optimizer = muon_of(matrices, {"b": nn.Parameter(torch.ones(1))}, dtype=torch.float32)
        team = Team()
        for weight in weights:
            weight.grad = torch.randn(20, 20)
        optimizer.step(0.1, lambda jobs, t=team, n=threads: t.run(jobs, n))  # type: ignore[misc]
        team.close()
        found.append([weight.detach().clone() for weight in weights])
    assert all(map(torch.equal, *found))


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_model_learns_by_it(tmp_path: Path, precision: str) -> None:
    model = ToyModel()
    before = toy_loss(model, ToyBatches(seed=7))
    run(tmp_path, 40, model, optimizer="muon", precision=precision)
    assert toy_loss(model, ToyBatches(seed=7)) < 0.8 * before


def test_a_checkpoint_of_another_optimizer_is_refused() -> None:
    model = ToyModel()
    muon = choose_optimizer(toy_config(max_steps=1, optimizer="muon"), model, "float32")
    with pytest.raises(ModelError, match=r"checkpoint must hold momentum\.recurrent\.weight_ih_l0"):
        muon.restore({})
    wrong = {"momentum.recurrent.weight_ih_l0": torch.zeros(2)}
    with pytest.raises(ModelError, match=r"momentum\.recurrent\.weight_ih_l0 must be float32"):
        muon.restore(wrong)


def test_the_matrices_rate_is_the_recipes() -> None:
    moved = []
    for given in (None, 0.03, 0.06):
        model = ToyModel()
        config = toy_config(max_steps=1, optimizer="muon", matrix_learning_rate=given)
        optimizer = choose_optimizer(config, model, "float32")
        before = model.recurrent.weight_hh_l0.detach().clone()
        for parameter in model.parameters():
            parameter.grad = parameter.detach().cos()
        optimizer.step(config.learning_rate, at_once)
        moved.append(float((model.recurrent.weight_hh_l0 - before).detach().norm()))
    assert moved[1] == pytest.approx(moved[0], rel=1e-5)  # three times 0.01
    assert moved[2] == pytest.approx(2 * moved[1], rel=1e-4)


def test_matrices_alone_learn_too() -> None:
    model = nn.Linear(3, 3, bias=False)
    optimizer = choose_optimizer(toy_config(max_steps=1, optimizer="muon"), model, "float32")
    before = model.weight.detach().clone()
    model.weight.grad = torch.ones(3, 3)
    optimizer.step(0.1, at_once)
    assert not torch.equal(model.weight, before)
    optimizer.restore(optimizer.tensors())
    optimizer.clear()


def test_a_rate_without_muon_is_refused() -> None:
    config = Config.from_mapping({"training": {"matrix_learning_rate": 0.01}})
    with pytest.raises(
        ConfigError, match=r"matrix_learning_rate must be left out without training.optimizer muon"
    ):
        require_agreement(config)
