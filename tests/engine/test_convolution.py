"""Convolutions over time as products, against PyTorch's."""

from __future__ import annotations

import pytest
import torch
from engine_kernels import kernels

from transduce.engine.frontends.convolution import NativeConvolutions
from transduce.engine.programs.weights import Number
from transduce.modules.frontends.frontend import ConvolutionFrontend

TOLERANCE: dict[Number, float] = {"float32": 1e-5, "bfloat16": 2e-2, "int8": 5e-2}


@pytest.mark.parametrize("number", TOLERANCE)
@pytest.mark.parametrize(("strides", "kernel"), [((1, 2), 3), ((3,), 5), ((2, 2, 1), 7), ((1,), 1)])
@torch.no_grad()
def test_vectors_are_pytorchs(number: Number, strides: tuple[int, ...], kernel: int) -> None:
    frontend = ConvolutionFrontend(11, 24, strides=strides, kernel=kernel, dropout=0.0)
    for parameter in frontend.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    frames, lengths = torch.randn(4, 37, 11), torch.tensor([37, 1, 20, 36])
    expected, wanted = frontend(frames, lengths)
    found, counts = NativeConvolutions(kernels(), number, frontend)(frames, lengths)
    assert counts.tolist() == wanted.tolist()
    assert found.shape == expected.shape
    for row, (length, vectors) in enumerate(zip(wanted.tolist(), found, strict=True)):
        error = (vectors[:length] - expected[row, :length]).abs().max()
        assert error < TOLERANCE[number] * max(1.0, float(expected[row].abs().max()))
