from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from transduce.modules.functional import RMSNorm, activation, linear, make_norm


def numbers(*shape: int) -> np.ndarray:
    return np.random.default_rng(1).normal(2, 3, shape)


def tanh_inner(x: float) -> float:
    return x + 0.044715 * x**3


def test_layer_norm_is_the_paper_s():
    # Ba et al. 2016, eq. 4.
    x, gain, bias = numbers(3, 4, 6), numbers(6), numbers(6)[::-1].copy()
    mean = x.mean(-1, keepdims=True)
    deviation = np.sqrt(((x - mean) ** 2).mean(-1, keepdims=True) + 1e-6)
    expected = gain / deviation * (x - mean) + bias

    norm = make_norm("layer", 6, bias=True).double()
    norm.load_state_dict({"weight": torch.from_numpy(gain), "bias": torch.from_numpy(bias)})
    np.testing.assert_allclose(norm(torch.from_numpy(x)).detach(), expected, atol=1e-12)


def test_rms_norm_is_the_paper_s():
    # Zhang & Sennrich 2019, eq. 4.
    x, gain = numbers(3, 4, 6), numbers(6)
    expected = x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-6) * gain

    norm = RMSNorm(6).double()
    norm.load_state_dict({"weight": torch.from_numpy(gain)})
    np.testing.assert_allclose(norm(torch.from_numpy(x)).detach(), expected, atol=1e-12)


def test_rms_norm_takes_its_mean_in_float32():
    vectors = torch.full((4096,), 3.0, dtype=torch.bfloat16)
    np.testing.assert_allclose(RMSNorm(4096)(vectors).detach().float(), 1.0, atol=1e-6)


@pytest.mark.parametrize("kind", ["layer", "rms"])
def test_norms_take_their_epsilon(kind):
    x = np.array([[1e-3, -1e-3, 2e-3, -2e-3]])
    expected = x / np.sqrt((x**2).mean() + 1e-5)
    norm = make_norm(kind, 4, bias=False, epsilon=1e-5).double()
    np.testing.assert_allclose(norm(torch.from_numpy(x)).detach(), expected, atol=1e-12)


def test_norms_without_bias_have_none():
    assert [name for name, _ in make_norm("layer", 4, bias=False).named_parameters()] == ["weight"]
    assert [name for name, _ in make_norm("rms", 4, bias=True).named_parameters()] == ["weight"]


@pytest.mark.parametrize(
    ("kind", "function"),
    [
        ("relu", lambda x: max(x, 0.0)),
        ("gelu", lambda x: x * 0.5 * (1 + math.erf(x / math.sqrt(2)))),
        ("gelu-tanh", lambda x: x / 2 * (1 + math.tanh(math.sqrt(2 / math.pi) * tanh_inner(x)))),
        ("geglu", lambda x: x / 2 * (1 + math.tanh(math.sqrt(2 / math.pi) * tanh_inner(x)))),
        ("silu", lambda x: x / (1 + math.exp(-x))),
        ("swiglu", lambda x: x / (1 + math.exp(-x))),
    ],
)
def test_activations(kind, function):
    x = np.linspace(-4, 4, 33)
    expected = [function(value) for value in x]
    np.testing.assert_allclose(activation(kind)(torch.from_numpy(x)), expected, atol=1e-12)


def test_linear_starts_as_glorot_and_bengio_say():
    torch.manual_seed(0)
    layer = linear(300, 100, bias=True, gain=0.5)
    assert isinstance(layer, nn.Linear)
    bound = 0.5 * math.sqrt(6 / 400)
    assert 0.98 * bound < layer.weight.abs().max() <= bound
    assert not layer.bias.any()
