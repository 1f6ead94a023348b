"""Frontends against their equations in float64 NumPy, and what lies beyond a sentence's end."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from transduce.modules.frontends.frontend import (
    ConvolutionFrontend,
    LinearFrontend,
    SubsamplingFrontend,
    hide_padding,
)

F, E = 7, 6


def numbers(module: nn.Module) -> dict[str, np.ndarray]:
    return {name: p.detach().double().numpy() for name, p in module.named_parameters()}


def convolved(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, stride: int) -> np.ndarray:
    """``y_t = b + Σ_k W_k x_{ts + k - K/2}`` of one sentence [S, C], zeros around it."""
    out, _, kernel = weight.shape
    reach = kernel // 2
    padded = np.pad(x, ((reach, reach), (0, 0)))
    steps = (len(x) - 1) // stride + 1
    result = np.empty((steps, out))
    for t in range(steps):
        window = padded[t * stride : t * stride + kernel]
        result[t] = bias + np.einsum("ock,kc->o", weight, window)
    return result


def convolved_twice(x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """The same over time and frequency: [S, C, F] to [⌈S/2⌉, O, ⌈F/2⌉]."""
    padded = np.pad(x, ((1, 1), (0, 0), (1, 1)))
    steps, heights = (len(x) - 1) // 2 + 1, (x.shape[2] - 1) // 2 + 1
    result = np.empty((steps, len(weight), heights))
    for t in range(steps):
        for f in range(heights):
            window = padded[2 * t : 2 * t + 3, :, 2 * f : 2 * f + 3]
            result[t, :, f] = bias + np.einsum("octf,tcf->o", weight, window)
    return result


def gelu(x: np.ndarray) -> np.ndarray:
    return x * 0.5 * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))


def batch(lengths: list[int], seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Frames with noise beyond each end."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(len(lengths), max(lengths), F, generator=generator), torch.tensor(lengths)


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(3)


def check(module: nn.Module, lengths: list[int], expected) -> None:
    frames, counts = batch(lengths)
    with torch.inference_mode():
        vectors, shorter = module(frames, counts)
    for row, (sentence, length) in enumerate(zip(frames, lengths, strict=True)):
        one = expected(sentence[:length].double().numpy(), numbers(module))
        assert int(shorter[row]) == len(one)
        np.testing.assert_allclose(vectors[row, : len(one)].numpy(), one, atol=2e-5)
        assert not vectors[row, len(one) :].any()


def test_linear() -> None:
    module = LinearFrontend(F, E, 0.0)
    check(module, [5, 1, 3], lambda x, w: x @ w["project.weight"].T + w["project.bias"])


@pytest.mark.parametrize(("strides", "kernel"), [([1, 2], 3), ([2, 1, 3], 5), ([2], 1)])
def test_convolution(strides: list[int], kernel: int) -> None:
    module = ConvolutionFrontend(F, E, strides=strides, kernel=kernel, dropout=0.0)

    def expected(x: np.ndarray, w: dict[str, np.ndarray]) -> np.ndarray:
        for number, stride in enumerate(strides):
            weight, bias = w[f"layers.{number}.weight"], w[f"layers.{number}.bias"]
            x = gelu(convolved(x, weight, bias, stride))
        return x

    check(module, [11, 1, 8, 5, 12], expected)


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_subsampling(layers: int) -> None:
    module = SubsamplingFrontend(F, E, channels=3, layers=layers, dropout=0.0)

    def expected(x: np.ndarray, w: dict[str, np.ndarray]) -> np.ndarray:
        picture = x[:, None]
        for number in range(layers):
            weight, bias = w[f"layers.{number}.weight"], w[f"layers.{number}.bias"]
            picture = np.maximum(convolved_twice(picture, weight, bias), 0)
        return picture.reshape(len(picture), -1) @ w["project.weight"].T + w["project.bias"]

    check(module, [9, 1, 4, 16], expected)


@settings(max_examples=25, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 30), min_size=1, max_size=4),
    strides=st.lists(st.integers(1, 4), min_size=1, max_size=3),
    kernel=st.sampled_from([1, 3, 5, 7]),
)
def test_a_sentence_alone_is_as_in_a_batch(
    lengths: list[int], strides: list[int], kernel: int
) -> None:
    module = ConvolutionFrontend(F, E, strides=strides, kernel=kernel, dropout=0.0)
    frames, counts = batch(lengths)
    with torch.inference_mode():
        together, shorter = module(frames, counts)
        for row, length in enumerate(lengths):
            alone, own = module(frames[row : row + 1, :length], counts[row : row + 1])
            assert int(own[0]) == int(shorter[row]) == alone.shape[1]
            torch.testing.assert_close(alone[0], together[row, : int(own[0])], atol=2e-5, rtol=1e-4)


def test_first_vectors_have_about_unit_variance() -> None:
    frames, lengths = torch.randn(16, 40, 80), torch.full((16,), 40)
    for module in (
        LinearFrontend(80, 64, 0.0),
        SubsamplingFrontend(80, 64, channels=16, layers=2, dropout=0.0),
    ):
        variance = float(module(frames, lengths)[0].detach().var())
        assert 0.5 < variance < 2.0


def test_hide_padding() -> None:
    hidden = hide_padding(torch.ones(2, 3, 4, 5), torch.tensor([3, 1]))
    assert hidden[0].all()
    assert hidden[1, 0].all()
    assert not hidden[1, 1:].any()
