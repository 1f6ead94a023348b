"""Weights on disk: tied ones once, wrong ones refused by name."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from architectures import (
    ARCHITECTURES,
    FRAMES,
    SYMBOLS,
    make_model,
    make_source_for,
    make_target,
    sentences,
)
from transduce.config import ModelConfig
from transduce.errors import ModelError
from transduce.models.blueprint import blueprint
from transduce.models.build import build_model
from transduce.models.storage import load_weights, named_weights, save_weights, set_weights


class Tied(nn.Module):
    def __init__(self, width: int = 3) -> None:
        super().__init__()
        self.first = nn.Parameter(torch.randn(2, width))
        self.second = self.first
        self.register_buffer("symbols", torch.arange(4))


def test_round_trip_keeps_ties_and_buffers(tmp_path: Path) -> None:
    model, other = Tied(), Tied()
    save_weights(named_weights(model), tmp_path / "w.safetensors")
    assert sorted(load_file(tmp_path / "w.safetensors")) == ["first", "symbols"]
    load_weights(other, tmp_path / "w.safetensors")
    assert torch.equal(other.second, model.first)
    assert other.second is other.first


def test_wrong_weights_are_named(tmp_path: Path) -> None:
    weights = named_weights(Tied())
    with pytest.raises(ModelError, match="weights must hold first; got 1 others"):
        set_weights(Tied(), {"symbols": weights["symbols"]})
    with pytest.raises(ModelError, match="got an unknown third"):
        set_weights(Tied(), {**weights, "third": torch.zeros(1)})
    with pytest.raises(ModelError, match=r"first must be of shape \[2, 5\]; got \[2, 3\]"):
        set_weights(Tied(5), weights)


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    with pytest.raises(ModelError, match=r"w\.safetensors: weights must be a readable"):
        load_weights(Tied(), path)
    path.write_bytes(b"\x10\x00\x00\x00\x00\x00\x00\x00not json at all.")
    with pytest.raises(ModelError, match=r"w\.safetensors: weights must be a readable"):
        load_weights(Tied(), path)
    save_weights({"first": torch.zeros(2, 3)}, path)
    with pytest.raises(ModelError, match=r"w\.safetensors: weights must hold symbols"):
        load_weights(Tied(), path)


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64])
def test_other_floats_are_read_as_ours(tmp_path: Path, kind: torch.dtype) -> None:
    model = Tied()
    symbols = torch.arange(4)
    save_file({"first": torch.ones(2, 3, dtype=kind), "symbols": symbols}, tmp_path / "w")
    load_weights(model, tmp_path / "w")
    assert model.first.dtype == torch.float32
    assert model.first.eq(1).all()


@pytest.mark.parametrize(
    ("name", "tensor", "message"),
    [
        ("first", torch.ones(2, 3).int(), "first must be of type float32; got int32"),
        ("symbols", torch.arange(4.0), "symbols must be of type int64; got float32"),
        ("symbols", torch.arange(4).int(), "symbols must be of type int64; got int32"),
        ("first", torch.full((2, 3), torch.nan), "first must hold finite numbers; got NaN"),
        (
            "first",
            torch.full((2, 3), 1e300, dtype=torch.float64),
            "first must hold finite .* infinite one",
        ),
    ],
)
def test_wrong_types_and_numbers_are_named(
    tmp_path: Path, name: str, tensor: torch.Tensor, message: str
) -> None:
    path = tmp_path / "w.safetensors"
    save_file({**named_weights(Tied()), name: tensor}, path)
    with pytest.raises(ModelError, match=rf"w\.safetensors: {message}"):
        load_weights(Tied(), path)


# ------------------------------------------------ models that are built for a file


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_blueprint_with_weights_is_the_model(name: str) -> None:
    model = make_model(ARCHITECTURES[name])
    before = torch.get_rng_state()
    config = ModelConfig.model_validate(ARCHITECTURES[name])
    size = SYMBOLS if config.frontend.kind == "embedding" else FRAMES
    with blueprint(len(named_weights(model)), Path()):
        copied, second = torch.tensor([3] * SYMBOLS), config.beside and SYMBOLS
        other = build_model(config, size, SYMBOLS, copied, beside_size=second).eval()
    assert all(parameter.is_meta for parameter in other.parameters())
    set_weights(other, {name: t.clone() for name, t in named_weights(model).items()})
    assert torch.equal(torch.get_rng_state(), before)  # nothing was drawn
    kinds = [(name, p.dtype, p.requires_grad) for name, p in model.named_parameters()]
    assert [(name, p.dtype, p.requires_grad) for name, p in other.named_parameters()] == kinds
    rows = sentences(4, 7)
    source, target = make_source_for(model, rows), make_target(rows)
    with torch.no_grad():
        assert torch.equal(other(source, target), model(source, target))
    loss = other(source, target).square().mean()  # and it learns
    loss.backward()


def test_no_more_is_built_than_weights_can_fill() -> None:
    made = 0

    class Layer(nn.Module):
        def __init__(self) -> None:
            nonlocal made
            super().__init__()
            made += 1

    message = "x: config must describe the 10 tensors there are; got more layers"
    with pytest.raises(ModelError, match=message), blueprint(10, Path("x")):
        nn.ModuleList(Layer() for _ in range(10**9))
    assert made < 1000
    nn.ModuleList(Layer() for _ in range(1000))  # afterwards nobody counts


@pytest.mark.parametrize("width", [2**40, 2**62, 2**63, 2**70, -1])
def test_sizes_that_nobody_can_build(width: int) -> None:
    message = "x: config must describe a model that exists; "
    with pytest.raises(ModelError, match=message), blueprint(20, Path("x")):
        nn.Linear(width, width)
