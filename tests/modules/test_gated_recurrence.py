from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from transduce.kernels.library import has_library
from transduce.modules import gated_recurrence
from transduce.modules.gated_recurrence import MinimalGatedUnit, SimpleRecurrentUnit, recur


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


def test_a_unit_that_is_not_rectified_gives_its_cells() -> None:
    unit = SimpleRecurrentUnit(5, bias=True, rectified=False).double()
    vectors = torch.randn(2, 7, 5).double()
    outputs, last = unit(vectors, None)
    assert (outputs < 0).any()
    torch.testing.assert_close(outputs[:, -1], last)


def numpy_gated(unit: MinimalGatedUnit, vectors: np.ndarray, length: int) -> np.ndarray:
    """Feng et al. 2024, section 3.1, for one source ``[S, D]``, step by step in both directions."""
    H, Z = unit.value.weight.detach().numpy(), unit.update.weight.detach().numpy()
    b_h = 0 if unit.value.bias is None else unit.value.bias.detach().numpy()
    b_z = 0 if unit.update.bias is None else unit.update.bias.detach().numpy()
    outputs, half = np.zeros_like(vectors), vectors.shape[1] // 2
    for columns, order in (
        (slice(None, half), range(length)),
        (slice(half, None), range(length - 1, -1, -1)),
    ):
        h = np.zeros(half)
        for t in order:
            z = 1 / (1 + np.exp(-(vectors[t] @ Z.T + b_z)[columns]))
            h = (1 - z) * h + z * (vectors[t] @ H.T + b_h)[columns]
            outputs[t, columns] = h
    return outputs


@pytest.mark.parametrize("bias", [True, False])
def test_gated_unit_is_the_paper_s(bias: bool) -> None:
    torch.manual_seed(4)
    unit = MinimalGatedUnit(6, bias=bias).double()
    for parameter in unit.parameters():
        torch.nn.init.normal_(parameter, std=0.8)
    vectors = torch.randn(3, 8, 6).double()
    lengths = [8, 3, 1]
    mask = torch.arange(8) < torch.tensor(lengths)[:, None]
    outputs = unit(vectors, mask)
    for own, given, length in zip(outputs, vectors, lengths, strict=True):
        expected = numpy_gated(unit, given.numpy(), length)
        np.testing.assert_allclose(own.detach(), expected, rtol=0, atol=1e-12)


def test_first_units_remember_from_one_position_to_a_thousand() -> None:
    unit = MinimalGatedUnit(12, bias=True)
    keep = torch.sigmoid(-unit.update.bias.detach())
    for half in (keep[:6], keep[6:]):
        torch.testing.assert_close(half[0], torch.tensor(0.5))
        torch.testing.assert_close(half[-1], torch.tensor(1000 / 1001))
        odds = half / (1 - half)
        ratios = odds[1:] / odds[:-1]
        torch.testing.assert_close(ratios, torch.full((5,), 1000 ** (1 / 5)), rtol=1e-3, atol=0)


def test_gated_unit_needs_two_halves() -> None:
    with pytest.raises(ValueError, match="width must be even; got 7"):
        MinimalGatedUnit(7, bias=True)


def ways_there_and_back(run, shape: tuple[int, ...], dtype: torch.dtype) -> list[Tensor]:
    torch.manual_seed(5)
    N, _, D = shape
    values, keep, first = torch.randn(shape), torch.rand(shape), torch.randn(N, D)
    given = [tensor.to(dtype).requires_grad_() for tensor in (values, keep, first)]
    cells = run(*given)
    weights = torch.randn(shape).to(dtype)
    return [cells.detach(), *torch.autograd.grad((cells * weights).sum(), given)]


@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 9, 5), (3, 64, 16), (2, 33, 50)])
def test_every_way_through_time_is_the_same(shape: tuple[int, ...]) -> None:
    """Native kernels are for float32, steps one by one for float64, doubling is for a GPU."""
    exact = ways_there_and_back(recur, shape, torch.float64)
    doubled = ways_there_and_back(gated_recurrence._doubling, shape, torch.float64)
    single = ways_there_and_back(recur, shape, torch.float32)
    for one, other, rounded in zip(exact, doubled, single, strict=True):
        torch.testing.assert_close(other, one, rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(rounded.double(), one, rtol=1e-4, atol=1e-5)


@pytest.mark.skipif(not has_library(), reason="there are no native kernels here")
def test_float32_takes_the_native_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*given: Tensor) -> Tensor:
        raise AssertionError("steps were made one by one")

    monkeypatch.setattr(gated_recurrence, "_scan", refuse)
    ways_there_and_back(recur, (2, 5, 3), torch.float32)
    with pytest.raises(AssertionError, match="one by one"):
        recur(*(torch.zeros(1, 1, 1).double(),) * 2, torch.zeros(1, 1).double())
