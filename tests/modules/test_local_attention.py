"""Local attention against its equation in float64, and against full attention."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from transduce.modules.attention import padding_bias, scaled_dot_product
from transduce.modules.dropout import Dropout
from transduce.modules.local_attention import FullAttention, LocalAttention, self_attention
from transduce.modules.positions import RelativeBias
from transduce.modules.transformer import EncoderLayer, StackOptions

NO_DROPOUT = Dropout(0.0)


def drawn(
    seed: int, heads: tuple[int, int], longest: int, width: int, lengths: list[int]
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Queries, keys, values in float64 and the mask of their positions."""
    generator = torch.Generator().manual_seed(seed)
    queries, keys, values = (
        torch.randn(len(lengths), count, longest, width, generator=generator, dtype=torch.float64)
        for count in (heads[0], heads[1], heads[1])
    )
    return queries, keys, values, torch.arange(longest) < torch.tensor(lengths)[:, None]


def by_the_equation(
    queries: np.ndarray, keys: np.ndarray, values: np.ndarray, window: int, table: Any
) -> np.ndarray:
    """One sentence's ``softmax({q_i k_j / √d + r_{j − i} : |i − j| ≤ w}) v_j``, one by one."""
    H, S, d = queries.shape
    shared = H // len(keys)
    out = np.zeros((H, S, d))
    for h in range(H):
        for i in range(S):
            near = [j for j in range(S) if abs(i - j) <= window]
            scores = [
                queries[h, i] @ keys[h // shared, j] / math.sqrt(d) + table(h, j - i) for j in near
            ]
            powers = np.exp(np.array(scores) - max(scores))
            out[h, i] = powers / powers.sum() @ values[h // shared, near]
    return out


@settings(max_examples=25)
@given(
    seed=st.integers(0, 1000),
    pairs=st.integers(1, 2),
    shared=st.integers(1, 2),
    longest=st.integers(1, 70),
    window=st.integers(1, 24),
    relative=st.booleans(),
    by_blocks=st.booleans(),
)
def test_it_is_the_equation(
    seed: int, pairs: int, shared: int, longest: int, window: int, relative: bool, by_blocks: bool
) -> None:
    lengths = [longest, 1 + seed % longest]
    heads = pairs * shared, pairs
    queries, keys, values, mask = drawn(seed, heads, longest, 3, lengths)
    torch.manual_seed(seed)
    bias = RelativeBias(heads[0], bidirectional=True, buckets=8).double() if relative else None
    attend = self_attention(mask, window, bias, by_blocks=by_blocks)
    found = attend(queries, keys, values, NO_DROPOUT).detach().numpy()
    assert found.shape == queries.shape
    assert np.isfinite(found).all()
    distances = None if bias is None else bias(1, 2 * longest, longest)[:, 0].detach().numpy()
    for b, n in enumerate(lengths):
        expected = by_the_equation(
            *(of[b, :, :n].numpy() for of in (queries, keys, values)),
            window,
            lambda h, far: 0.0 if distances is None else distances[h, longest + far],
        )
        np.testing.assert_allclose(found[b, :, :n], expected, atol=1e-12)


@settings(max_examples=25)
@given(longest=st.integers(1, 60), beyond=st.integers(-1, 5), relative=st.booleans())
def test_a_window_over_all_is_full_attention_to_the_bit(
    longest: int, beyond: int, relative: bool
) -> None:
    queries, keys, values, mask = drawn(longest, (4, 2), longest, 3, [longest, (longest + 1) // 2])
    bias = RelativeBias(4, bidirectional=True).double() if relative else None
    attend = self_attention(mask, max(1, longest + beyond), bias)
    added = padding_bias(mask) if bias is None else padding_bias(mask) + bias(longest, longest)
    expected, _ = scaled_dot_product(queries, keys, values, added, NO_DROPOUT)
    assert torch.equal(attend(queries, keys, values, NO_DROPOUT), expected)
    assert torch.equal(
        self_attention(mask, None, bias)(queries, keys, values, NO_DROPOUT), expected
    )


def test_gradients_are_those_of_full_attention_with_a_band() -> None:
    queries, keys, values, mask = drawn(0, (4, 2), 61, 3, [61, 40])
    for given_to in (queries, keys, values):
        given_to.requires_grad_()
    bias = RelativeBias(4, bidirectional=True).double()
    found = []
    for by_blocks in (True, False):
        attend = self_attention(mask, 5, bias, by_blocks=by_blocks)
        assert isinstance(attend, LocalAttention if by_blocks else FullAttention)
        out = attend(queries, keys, values, NO_DROPOUT)
        loss = out.masked_fill(~mask[:, None, :, None], 0).square().sum()
        found.append(torch.autograd.grad(loss, [queries, keys, values, bias.weight]))
    for blocks, band in zip(*found, strict=True):
        assert torch.isfinite(blocks).all()
        torch.testing.assert_close(blocks, band)


def test_no_weights_of_all_positions_for_all() -> None:
    """The largest tensor that autograd keeps grows with the length, not with its square."""
    kept: dict[int, int] = {}

    def note(length: int, tensor: Tensor) -> Tensor:
        kept[length] = max(kept.get(length, 0), tensor.numel())
        return tensor

    for length in (320, 1280):
        queries, keys, values, mask = drawn(0, (2, 2), length, 4, [length])
        queries.requires_grad_()
        with torch.autograd.graph.saved_tensors_hooks(
            lambda tensor, length=length: note(length, tensor),  # type: ignore[misc]
            lambda tensor: tensor,
        ):
            self_attention(mask, 20, None)(queries, keys, values, NO_DROPOUT)
    assert kept[320] < 2 * 320 * 320 / 2
    assert kept[1280] == 4 * kept[320]


@settings(max_examples=25)
@given(
    seed=st.integers(0, 1000),
    longest=st.integers(1, 70),
    window=st.integers(1, 24),
    block=st.integers(2, 20),
    norm=st.sampled_from(["layer", "rms"]),
    by_blocks=st.booleans(),
)
def test_summaries_are_seen_from_everywhere(
    seed: int, longest: int, window: int, block: int, norm: Any, by_blocks: bool
) -> None:
    """Softmax over neighbours and W norm(m_j), in one; m_j is the mean of block j."""
    torch.manual_seed(seed)
    options = StackOptions(6, 1, 8, 2, key_value_heads=1, norm=norm, global_block=block)
    layer, lengths = EncoderLayer(options).double().eval(), [longest, 1 + seed % longest]
    mask = torch.arange(longest) < torch.tensor(lengths)[:, None]
    vectors = torch.randn(2, longest, 6, dtype=torch.float64)
    attend = self_attention(mask, window, None, global_block=block, by_blocks=by_blocks)
    taken: list[Tensor] = []
    layer.attention.output.register_forward_hook(lambda _, given, __: taken.append(given[0]))
    with torch.no_grad():
        layer(vectors, attend)

    def rows(linear: torch.nn.Linear, of: np.ndarray) -> np.ndarray:
        bias = 0.0 if linear.bias is None else linear.bias.detach().numpy()
        return of @ linear.weight.detach().numpy().T + bias

    def normed(of: np.ndarray) -> np.ndarray:
        centred = of - of.mean(-1, keepdims=True) if norm == "layer" else of
        return centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-6)

    for b, n in enumerate(lengths):
        own = normed(vectors[b, :n].numpy())
        means = np.array([own[i : i + block].mean(0) for i in range(0, n, block)])
        means = normed(means)
        queries = rows(layer.attention.query, own).reshape(n, 2, 3)
        for i in range(n):
            near = own[max(0, i - window) : i + window + 1]
            keys, values = (
                np.concatenate([rows(of, near), rows(of, means)])
                for of in (layer.attention.key, layer.attention.value)
            )
            for h in range(2):
                powers = np.exp(keys @ queries[i, h] / math.sqrt(3))
                expected = powers / powers.sum() @ values
                found = taken[0][b, i, 3 * h : 3 * h + 3].numpy()
                np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize(("window", "blocks"), [(1, True), (16, True), (22, False), (90, False)])
def test_blocks_are_made_where_they_save_something(window: int, blocks: bool) -> None:
    mask = torch.ones(1, 64, dtype=torch.bool)
    attend = self_attention(mask, window, None)
    assert isinstance(attend, LocalAttention if blocks else FullAttention)
