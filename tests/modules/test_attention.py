from __future__ import annotations

import numpy as np
import pytest
import torch

from transduce.modules.attention import (
    MultiHeadAttention,
    causal_bias,
    padding_bias,
    scaled_dot_product,
)
from transduce.modules.dropout import Dropout


def softmax(x: np.ndarray) -> np.ndarray:
    exponentials = np.exp(x - x.max(-1, keepdims=True))
    return exponentials / exponentials.sum(-1, keepdims=True)


def attention(q: np.ndarray, k: np.ndarray, v: np.ndarray, hidden: np.ndarray) -> np.ndarray:
    """Vaswani et al. 2017, eq. 1, for one head: [T, d], [S, d], [S, d], [T, S]."""
    scores = q @ k.T / np.sqrt(q.shape[-1])
    return softmax(np.where(hidden, -np.inf, scores)) @ v


def affine(layer: torch.nn.Linear, x: np.ndarray) -> np.ndarray:
    product = x @ layer.weight.detach().numpy().T
    return product if layer.bias is None else product + layer.bias.detach().numpy()


def randomised(module: torch.nn.Module) -> torch.nn.Module:
    """Biases too, which start at zero."""
    torch.manual_seed(0)
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return module.double()


@pytest.mark.parametrize("groups", [4, 2, 1])
def test_scaled_dot_product_is_the_paper_s(groups):
    random = np.random.default_rng(0)
    B, H, T, S, d = 2, 4, 3, 5, 6
    q = random.normal(size=(B, H, T, d))
    k, v = random.normal(size=(2, B, groups, S, d))
    mask = np.array([[True] * 5, [True] * 2 + [False] * 3])
    vectors, weights = scaled_dot_product(
        *(torch.from_numpy(x) for x in (q, k, v)),
        padding_bias(torch.from_numpy(mask)),
        Dropout(0),
    )
    for b, h in np.ndindex(B, H):
        shared = h // (H // groups)
        hidden = np.broadcast_to(~mask[b], (T, S))
        expected = attention(q[b, h], k[b, shared], v[b, shared], hidden)
        np.testing.assert_allclose(vectors[b, h], expected, atol=1e-12)
    np.testing.assert_allclose(weights.sum(-1), 1, atol=1e-12)
    assert not weights[1, :, :, 2:].any()


@pytest.mark.parametrize("groups", [None, 2, 1])
@pytest.mark.parametrize("memory_width", [8, 10])
def test_multi_head_attention_is_the_paper_s(groups, memory_width):
    # Section 3.2.2: Concat(head_1 … head_H) W_O; grouped as in Ainslie et al. 2023.
    B, H, T, S, D = 2, 4, 3, 5, 8
    layer = randomised(
        MultiHeadAttention(D, heads=H, key_value_heads=groups, memory_width=memory_width)
    )
    assert isinstance(layer, MultiHeadAttention)
    random = np.random.default_rng(1)
    x, memory = random.normal(size=(B, T, D)), random.normal(size=(B, S, memory_width))
    mask = np.array([[True] * 5, [True] * 4 + [False]])
    with torch.no_grad():
        ours, _ = layer(
            torch.from_numpy(x), torch.from_numpy(memory), padding_bias(torch.from_numpy(mask))
        )
    d, G = D // H, groups or H
    for b in range(B):
        q, k = affine(layer.query, x[b]), affine(layer.key, memory[b])
        v = affine(layer.value, memory[b])
        hidden = np.broadcast_to(~mask[b], (T, S))
        heads = []
        for h in range(H):
            mine, shared = slice(h * d, (h + 1) * d), h * G // H
            theirs = slice(shared * d, (shared + 1) * d)
            heads.append(attention(q[:, mine], k[:, theirs], v[:, theirs], hidden))
        expected = affine(layer.output, np.concatenate(heads, -1))
        np.testing.assert_allclose(ours[b], expected, atol=1e-12)


def test_causal_bias_hides_the_future():
    assert (causal_bias(4, 4, torch.device("cpu")) == 0).tolist() == np.tri(4, dtype=bool).tolist()
    # The last two of five positions.
    assert (causal_bias(2, 5, torch.device("cpu")) == 0).tolist() == [
        [True, True, True, True, False],
        [True] * 5,
    ]


@pytest.mark.parametrize("groups", [4, 2])
def test_beams_share_one_memory(groups):
    B, K, T, S, D = 2, 3, 2, 5, 8
    layer = randomised(MultiHeadAttention(D, heads=4, key_value_heads=groups))
    assert isinstance(layer, MultiHeadAttention)
    vectors = torch.randn(B * K, T, D, dtype=torch.float64)
    memory = torch.randn(B, S, D, dtype=torch.float64)
    mask = torch.tensor([[True] * 5, [True, True, False, False, False]])
    ours, weights = layer(vectors, memory, padding_bias(mask))
    copied, copied_weights = layer(
        vectors, memory.repeat_interleave(K, 0), padding_bias(mask.repeat_interleave(K, 0))
    )
    torch.testing.assert_close(ours, copied)
    ours_by_row = weights.view(B, 4, K, T, S).transpose(1, 2).flatten(0, 1)
    torch.testing.assert_close(ours_by_row, copied_weights)


def test_dropout_falls_on_the_weights():
    layer = MultiHeadAttention(8, heads=2, dropout=0.5)
    vectors = torch.randn(4, 6, 8)
    torch.manual_seed(0)
    first, weights = layer(vectors, vectors)
    second, _ = layer(vectors, vectors)
    assert not torch.allclose(first, second)
    torch.testing.assert_close(weights.sum(-1), torch.ones(4, 2, 6))
    layer.eval()
    torch.testing.assert_close(layer(vectors, vectors)[0], layer(vectors, vectors)[0])


def test_hidden_positions_weigh_nothing_in_bfloat16():
    mask = torch.tensor([[True, False]])
    q, k = torch.randn(1, 2, 3, 4).bfloat16(), torch.randn(1, 2, 2, 4).bfloat16()
    _, weights = scaled_dot_product(q, k, k, padding_bias(mask), Dropout(0))
    assert weights.dtype == torch.bfloat16
    assert weights[..., 0].eq(1).all()


def test_a_bias_of_keys_would_change_nothing():
    # Why there is none, whatever ``bias`` says.
    torch.manual_seed(0)
    q, k, v = torch.randn(3, 1, 2, 4, 8, dtype=torch.float64)
    bias = torch.randn(1, 2, 1, 8, dtype=torch.float64)
    without, _ = scaled_dot_product(q, k, v, None, Dropout(0))
    torch.testing.assert_close(scaled_dot_product(q, k + bias, v, None, Dropout(0))[0], without)
    layer = MultiHeadAttention(8, heads=2, bias=True)
    assert layer.key.bias is None
    assert layer.query.bias is not None


def test_gain_scales_the_output_only():
    torch.manual_seed(0)
    plain = MultiHeadAttention(16, heads=2)
    torch.manual_seed(0)
    scaled = MultiHeadAttention(16, heads=2, output_gain=0.25)
    torch.testing.assert_close(scaled.output.weight, plain.output.weight * 0.25)
    torch.testing.assert_close(scaled.query.weight, plain.query.weight)


@pytest.mark.parametrize(("width", "heads", "groups"), [(10, 4, None), (8, 4, 3)])
def test_refuses_widths_that_do_not_divide(width, heads, groups):
    with pytest.raises(ValueError, match="must be a multiple of heads"):
        MultiHeadAttention(width, heads=heads, key_value_heads=groups)
