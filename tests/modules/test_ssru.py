from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from transduce.modules.ssru import SimpleRecurrentUnit, recur


def make_unit(width: int = 5, *, bias: bool = True) -> SimpleRecurrentUnit:
    torch.manual_seed(3)
    unit = SimpleRecurrentUnit(width, bias=bias).double()
    for parameter in unit.parameters():
        torch.nn.init.normal_(parameter, std=0.8)
    return unit


def numpy_unit(
    unit: SimpleRecurrentUnit, vectors: np.ndarray, cell: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Kim et al. 2019, section 3.1, step by step: ``[N, T, D]`` and cells ``[N, D]``."""
    W, F = unit.value.weight.detach().numpy(), unit.forget.weight.detach().numpy()
    b = 0 if unit.forget.bias is None else unit.forget.bias.detach().numpy()
    outputs = []
    for x in vectors.swapaxes(0, 1):
        f = 1 / (1 + np.exp(-(x @ F.T + b)))
        cell = f * cell + (1 - f) * (x @ W.T)
        outputs.append(np.maximum(cell, 0))
    return np.stack(outputs, axis=1), cell


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("length", [1, 2, 9])
def test_unit_is_the_paper_s(bias: bool, length: int) -> None:
    unit = make_unit(bias=bias)
    vectors, cell = torch.randn(3, length, 5).double(), torch.randn(3, 5).double()
    for before, given in ((cell, cell), (torch.zeros(3, 5).double(), None)):
        outputs, after = unit(vectors, given)
        expected, last = numpy_unit(unit, vectors.numpy(), before.numpy())
        np.testing.assert_allclose(outputs.detach(), expected, rtol=0, atol=1e-12)
        np.testing.assert_allclose(after.detach(), last, rtol=0, atol=1e-12)


@pytest.mark.parametrize("length", [1, 4])
def test_gradients_are_right(length: int) -> None:
    torch.manual_seed(1)
    values = torch.randn(2, length, 3, dtype=torch.float64, requires_grad=True)
    keep = torch.rand(2, length, 3, dtype=torch.float64, requires_grad=True)
    first = torch.randn(2, 3, dtype=torch.float64, requires_grad=True)

    def run(values: Tensor, keep: Tensor, first: Tensor) -> tuple[Tensor, Tensor]:
        cells = recur(values, keep, first)
        return cells, cells[:, -1]

    assert torch.autograd.gradcheck(run, (values, keep, first))


def test_gradients_of_what_stands_apart_in_memory() -> None:
    """Gradients of a sum are one number in every place, and inputs may be slices."""
    wide = torch.randn(2, 5, 6, dtype=torch.float64, requires_grad=True)

    def step_by_step(values: Tensor, keep: Tensor, cell: Tensor) -> Tensor:
        cells = []
        for step in range(5):
            cell = keep[:, step] * cell + (1 - keep[:, step]) * values[:, step]
            cells.append(cell)
        return torch.stack(cells, dim=1)

    found, expected = (
        torch.autograd.grad(
            run(wide[:, :, ::2], torch.sigmoid(wide[:, :, 1::2]), wide[:, 0, :3]).sum(), wide
        )[0]
        for run in (recur, step_by_step)
    )
    torch.testing.assert_close(found, expected)


def test_first_weights_remember() -> None:
    unit = SimpleRecurrentUnit(64, bias=True, gain=0.5)
    assert torch.equal(unit.forget.bias, torch.ones(64))
    assert float(unit.value.weight.detach().abs().max()) <= 0.5 * (6 / 128) ** 0.5


def test_cells_are_float32_under_autocast() -> None:
    unit, vectors = SimpleRecurrentUnit(16, bias=True), torch.randn(2, 6, 16)
    exact, last = unit(vectors, None)
    with torch.autocast("cpu", torch.bfloat16):
        rounded, cell = unit(vectors, None)
    assert (rounded.dtype, cell.dtype) == (torch.float32, torch.float32)
    torch.testing.assert_close(rounded, exact, atol=0.02, rtol=0.02)
    torch.testing.assert_close(cell, last, atol=0.02, rtol=0.02)
    halves, cell = unit.bfloat16()(vectors.bfloat16(), None)
    assert (halves.dtype, cell.dtype) == (torch.bfloat16, torch.float32)
