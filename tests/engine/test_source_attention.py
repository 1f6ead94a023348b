"""Self-attention of long sources, read in blocks, against its equation in float64."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from engine_kernels import LESSER, kernels
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from transduce.engine.programs.program import Program
from transduce.engine.programs.weights import Number
from transduce.kernels.library import Library
from transduce.kernels.running.runner import Extent, Runner
from transduce.modules.positions import rotary_table

Array = NDArray[np.float64]
TOLERANCE: dict[Number, float] = {"float32": 3e-6, "bfloat16": 3e-2, "int8": 3e-2}


def turned(vectors: Array) -> Array:
    """``[B, H, S, d]`` turned by angles of its positions (Su et al. 2021, eq. 34)."""
    S, d = vectors.shape[2:]
    angles = np.arange(S)[:, None] * 10_000.0 ** (-np.arange(0, d, 2) / d)
    low, high = np.split(vectors, 2, axis=-1)
    cosines, sines = np.cos(angles), np.sin(angles)
    return np.concatenate([low * cosines - high * sines, high * cosines + low * sines], -1)


def attention(
    joined: Array,
    heads: tuple[int, int, int],
    lengths: list[int],
    rotary: bool,
    bias: Array | None,
    window: int | None,
) -> Array:
    """softmax(Q Kᵀ / √d + bias) V of each sentence's real positions, zero beyond.

    ``bias`` ``[H, 2 R + 1]`` is that of each distance; with a ``window`` w those over w weigh 0.
    """
    H, G, d = heads
    B, S, _ = joined.shape
    split = [H * d, (H + G) * d]
    queries, keys, values = (
        rows.reshape(B, S, -1, d).swapaxes(1, 2) for rows in np.split(joined, split, axis=-1)
    )
    if rotary:
        queries, keys = turned(queries), turned(keys)
    out = np.zeros((B, S, H, d))
    for b, n in enumerate(lengths):
        for h in range(H):
            g = h * G // H
            scores = queries[b, h, :n] @ keys[b, g, :n].T / math.sqrt(d)
            distances = np.arange(n) - np.arange(n)[:, None]
            if window is not None:
                scores[abs(distances) > window] = -math.inf
            if bias is not None:
                reach = bias.shape[1] // 2
                scores = scores + bias[h, (distances + reach).clip(0, 2 * reach)]
            weights = np.exp(scores - scores.max(-1, keepdims=True))
            out[b, :n, h] = weights / weights.sum(-1, keepdims=True) @ values[b, g, :n]
    return out.reshape(B, S, H * d)


def native(
    library: Library,
    number: Number,
    joined: Array,
    heads: tuple[int, int, int],
    lengths: list[int],
    rotary: bool,
    bias: Array | None,
    window: int | None,
) -> Array:
    H, G, d = heads
    B, S, _ = joined.shape
    program = Program(library, number)
    together, out = program.buffer((H + 2 * G) * d), program.buffer(H * d)
    program.fetch("joined", together, stride=(H + 2 * G) * d)
    program.source_attention(
        together,
        out,
        heads=heads,
        lengths="lengths",
        rotary=("cosines", "sines") if rotary else None,
        bias=None if bias is None else "bias",
        window=window,
    )
    program.put(out, "out", stride=H * d)
    result = torch.full((B, S, H * d), math.nan)
    tensors = {
        "joined": torch.from_numpy(joined).float().contiguous(),
        "lengths": torch.tensor(lengths),
        "out": result,
    }
    if rotary:
        tensors["cosines"], tensors["sines"] = rotary_table(S, d, torch.device("cpu"))
    if bias is not None:
        tensors["bias"] = torch.from_numpy(bias).float().contiguous()
    Runner(program).run(tensors, Extent(rows=B * S, sentences=B, source=S))
    return result.double().numpy()


@settings(max_examples=25)
@given(
    seed=st.integers(0, 1000),
    number=st.sampled_from(list(TOLERANCE)),
    pairs=st.integers(1, 2),
    shared=st.integers(1, 2),
    width=st.sampled_from([1, 7, 16, 30, 64, 96]),
    longest=st.integers(60, 200),
    rotary=st.booleans(),
    biased=st.booleans(),
    window=st.sampled_from([None, 1, 5, 31, 64, 90, 300]),
    threads=st.sampled_from([1, 3]),
)
def test_long_sources(
    seed: int,
    number: Number,
    pairs: int,
    shared: int,
    width: int,
    longest: int,
    rotary: bool,
    biased: bool,
    window: int | None,
    threads: int,
) -> None:
    generator = np.random.default_rng(seed)
    heads = (pairs * shared, pairs, width)
    lengths = [longest, *generator.integers(1, longest + 1, 2).tolist()]
    joined = generator.normal(size=(3, longest, (heads[0] + 2 * pairs) * width))
    rotary = rotary and width % 2 == 0
    reach = longest - 1 if window is None else window
    bias = generator.normal(size=(heads[0], 2 * reach + 1)) if biased else None
    torch.set_num_threads(threads)
    try:
        found = native(kernels(), number, joined, heads, lengths, rotary, bias, window)
    finally:
        torch.set_num_threads(1)
    expected = attention(joined, heads, lengths, rotary, bias, window)
    assert np.abs(found - expected).max() < TOLERANCE[number]


@pytest.mark.parametrize("architecture", LESSER)
def test_on_lesser_processors(architecture: str) -> None:
    generator = np.random.default_rng(0)
    joined = generator.normal(size=(2, 131, 3 * 2 * 40))
    lengths, heads = [131, 70], (2, 2, 40)
    for window, reach in ((None, 130), (20, 20)):
        bias = generator.normal(size=(2, 2 * reach + 1))
        expected = attention(joined, heads, lengths, False, bias, window)
        for number, tolerance in TOLERANCE.items():
            library = kernels(architecture)
            found = native(library, number, joined, heads, lengths, False, bias, window)
            assert np.abs(found - expected).max() < tolerance
