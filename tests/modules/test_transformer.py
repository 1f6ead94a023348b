from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch
from torch import Tensor

from transduce.modules.attention import causal_bias, padding_bias
from transduce.modules.local_attention import self_attention
from transduce.modules.transformer import (
    DecoderLayer,
    EncoderLayer,
    FeedForward,
    Residual,
    StackOptions,
)

PLAIN = StackOptions(width=8, layers=2, feedforward=24, heads=2)


def options(**changes) -> StackOptions:
    return dataclasses.replace(PLAIN, **changes)


def silu(z: np.ndarray) -> np.ndarray:
    return z / (1 + np.exp(-z))


def gelu_tanh(z: np.ndarray) -> np.ndarray:
    return z / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (z + 0.044715 * z**3)))


@pytest.mark.parametrize("activation", ["relu", "gelu", "gelu-tanh", "silu", "swiglu", "geglu"])
@pytest.mark.parametrize("bias", [True, False])
def test_feed_forward_is_the_paper_s(activation, bias):
    torch.manual_seed(0)
    layer = FeedForward(options(activation=activation, bias=bias), output_gain=1.0).double()
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter)
    x = np.random.default_rng(0).normal(size=(5, 8))

    def affine(linear: torch.nn.Linear, value: np.ndarray) -> np.ndarray:
        product = value @ linear.weight.detach().numpy().T
        return product if linear.bias is None else product + linear.bias.detach().numpy()

    functions = {
        "relu": lambda z: np.maximum(z, 0),  # Vaswani et al. 2017, eq. 2
        "gelu": lambda z: z * 0.5 * (1 + np.vectorize(math.erf)(z / np.sqrt(2))),
        "gelu-tanh": gelu_tanh,
        "silu": silu,
        "swiglu": silu,  # Shazeer 2020, eq. 6
        "geglu": gelu_tanh,
    }
    inner, function = affine(layer.inner, x), functions[activation]
    gated = activation in ("swiglu", "geglu")
    inner = function(affine(layer.gate, x)) * inner if gated else function(inner)
    np.testing.assert_allclose(
        layer(torch.from_numpy(x)).detach(), affine(layer.output, inner), atol=1e-11
    )


def test_swiglu_costs_as_many_weights_as_relu():
    def count(activation: str) -> int:
        layer = FeedForward(
            options(width=64, feedforward=256, activation=activation, bias=False), output_gain=1.0
        )
        return sum(parameter.numel() for parameter in layer.parameters())

    assert count("swiglu") == pytest.approx(count("relu"), rel=0.05)


def test_residual_before_and_after():
    torch.manual_seed(0)
    vectors, output = torch.randn(2, 3, 4, 8)
    norm = torch.nn.functional.layer_norm

    pre = Residual(options(norm_position="pre"))
    torch.testing.assert_close(pre.enter(vectors), norm(vectors, (8,), eps=1e-6))
    torch.testing.assert_close(pre.leave(vectors, output), vectors + output)
    post = Residual(options(norm_position="post"))
    torch.testing.assert_close(post.enter(vectors), vectors)
    torch.testing.assert_close(post.leave(vectors, output), norm(vectors + output, (8,), eps=1e-6))


def test_residual_drops_the_sub_layer_not_the_stream():
    torch.manual_seed(0)
    residual = Residual(options(dropout=0.5))
    left = residual.leave(torch.ones(1000, 8), torch.ones(1000, 8))
    assert sorted(left.unique().tolist()) == [1.0, 3.0]


def test_pre_norm_scales_what_writes_to_the_stream():
    assert PLAIN.output_gain(branches=3) == pytest.approx(1 / math.sqrt(6))
    assert options(norm_position="post").output_gain(branches=3) == 1


def run_in_pieces(layer: DecoderLayer, vectors: Tensor, sizes: list[int], **given) -> Tensor:
    past, pieces, start = None, [], 0
    for size in sizes:
        bias = causal_bias(size, start + size, vectors.device)
        piece, past, _ = layer(vectors[:, start : start + size], past, bias=bias, **given)
        pieces.append(piece)
        start += size
    return torch.cat(pieces, dim=1)


@pytest.mark.parametrize("positions", ["sinusoidal", "rotary"])
@pytest.mark.parametrize("groups", [None, 1])
def test_decoder_layer_in_pieces_is_the_whole(positions, groups):
    torch.manual_seed(0)
    layer = DecoderLayer(
        options(positions=positions, key_value_heads=groups), memory_width=6
    ).double()
    vectors = torch.randn(2, 7, 8, dtype=torch.float64)
    memory = layer.memory_attention.project_memory(torch.randn(2, 4, 6, dtype=torch.float64))
    bias = padding_bias(torch.tensor([[True] * 4, [True, True, False, False]]))
    whole = run_in_pieces(layer, vectors, [7], memory=memory, memory_bias=bias)
    for sizes in ([1] * 7, [3, 4], [1, 5, 1]):
        pieces = run_in_pieces(layer, vectors, sizes, memory=memory, memory_bias=bias)
        torch.testing.assert_close(pieces, whole)


def test_decoder_layer_does_not_see_the_future():
    torch.manual_seed(0)
    layer = DecoderLayer(PLAIN, memory_width=8)
    memory = layer.memory_attention.project_memory(torch.randn(1, 3, 8))
    bias = padding_bias(torch.ones(1, 3, dtype=torch.bool))
    vectors = torch.randn(1, 5, 8)
    changed = vectors.clone()
    changed[:, 3:] *= -1
    before, after = (
        run_in_pieces(layer, given, [5], memory=memory, memory_bias=bias)
        for given in (vectors, changed)
    )
    torch.testing.assert_close(before[:, :3], after[:, :3])
    assert not torch.allclose(before[:, 3:], after[:, 3:])


def test_encoder_layer_sees_both_sides_but_no_padding():
    torch.manual_seed(0)
    layer = EncoderLayer(PLAIN)
    attend = self_attention(torch.tensor([[True, True, True, False]]), None, None)
    vectors = torch.randn(1, 4, 8)
    before = layer(vectors, attend)

    def with_change(position: int) -> Tensor:
        changed = vectors.clone()
        # Not by a constant, which a layer norm would take out again.
        changed[:, position] *= -1
        return layer(changed, attend)

    torch.testing.assert_close(with_change(3)[:, :3], before[:, :3])
    assert not torch.allclose(with_change(2)[:, 0], before[:, 0])
    assert not torch.allclose(with_change(0)[:, 2], before[:, 2])
