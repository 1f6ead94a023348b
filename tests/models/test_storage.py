"""Weights on disk: tied ones once, wrong ones refused by name."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from transduce.errors import ModelError
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
