"""The native long short-term memory against its equations in float64."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from native_kernels import require_kernels
from transduce.kernels import library
from transduce.kernels import lstm as kernels_lstm
from transduce.kernels.lstm import has_native_lstm, lstm
from transduce.modules.recurrent import RecurrentLayer

# sentences, positions, inputs, units
SHAPES = [(1, 1, 2, 16), (7, 5, 6, 16), (13, 9, 64, 48), (6, 3, 70, 32), (40, 12, 32, 128)]
BFLOAT16 = 2e-2  # of the largest number: 8 bits


@pytest.fixture(autouse=True)
def _kernels() -> Iterator[None]:
    require_kernels()
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def case(shape: tuple[int, ...], seed: int = 1) -> list[Tensor]:
    """Vectors, two states and four weights."""
    B, T, E, D = shape
    torch.manual_seed(seed)
    sizes = [(B, T, E), (B, D), (B, D), (4 * D, E), (4 * D, D), (4 * D,), (4 * D,)]
    scales = [1.0, 1.0, 1.0, E**-0.5, D**-0.5, 0.5, 0.5]
    drawn = (torch.randn(size) * scale for size, scale in zip(sizes, scales, strict=True))
    return [tensor.requires_grad_() for tensor in drawn]


def precise(given: list[Tensor]) -> list[Tensor]:
    return [tensor.detach().double().requires_grad_() for tensor in given]


def native(given: list[Tensor]) -> tuple[Tensor, ...]:
    return lstm(given[0], given[1], given[2], given[3:])


def by_equations(given: list[Tensor]) -> tuple[Tensor, ...]:
    vectors, hidden, cell, W, U, b, b2 = given
    outputs = []
    for vector in vectors.unbind(1):
        sums = vector @ W.T + b + hidden @ U.T + b2
        i, f, g, o = sums.chunk(4, dim=1)
        cell = torch.sigmoid(f) * cell + torch.sigmoid(i) * torch.tanh(g)
        hidden = torch.sigmoid(o) * torch.tanh(cell)
        outputs.append(hidden)
    return torch.stack(outputs, 1), hidden, cell


def with_gradients(run, given: list[Tensor]) -> list[Tensor]:
    """Outputs, and the gradients of all that is given for changing gradients of all outputs."""
    outputs = run(given)
    torch.manual_seed(2)
    objective = sum((out * torch.randn(out.shape).to(out.dtype)).sum() for out in outputs)
    return [*outputs, *torch.autograd.grad(objective, given)]


def farthest(found: Tensor, exact: Tensor) -> float:
    found, exact = found.detach().double(), exact.detach()
    return float((found - exact).abs().max() / exact.abs().max())


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("threads", [1, 3])
def test_outputs_and_gradients_are_those_of_the_equations(shape, threads: int) -> None:
    torch.set_num_threads(threads)
    exact = with_gradients(by_equations, precise(case(shape)))
    for found, wanted in zip(with_gradients(native, case(shape)), exact, strict=True):
        assert farthest(found, wanted) < 1e-5


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_bfloat16_products(shape) -> None:
    exact = with_gradients(by_equations, precise(case(shape)))
    with torch.autocast("cpu", torch.bfloat16):
        found = with_gradients(native, case(shape))
    assert found[0].dtype == torch.bfloat16
    assert found[2].dtype == torch.float32  # cells
    assert all(gradient.dtype == torch.float32 for gradient in found[3:])
    assert max(map(farthest, found, exact)) < BFLOAT16


def test_what_is_no_number_stays_none() -> None:
    given = case((12, 4, 8, 16))
    with torch.no_grad():
        given[0][3, 1, 2] = float("nan")
    outputs = native(given)[0]
    assert outputs[3, 1:].isnan().all()
    assert outputs[3, 0].isfinite().all()
    assert outputs[:3].isfinite().all()


def test_large_sums_saturate() -> None:
    given = case((12, 4, 8, 16))
    with torch.no_grad():
        given[0] *= 1e4
    found = with_gradients(native, given)
    assert all(tensor.isfinite().all() for tensor in found)
    exact = with_gradients(by_equations, precise(given))
    assert farthest(found[0], exact[0]) < 1e-3  # float32 sums of 10,000


def test_gradients_by_differences() -> None:
    given = case((3, 3, 2, 16))

    def double(*tensors: Tensor) -> tuple[Tensor, ...]:
        return tuple(out.double() for out in native([tensor.float() for tensor in tensors]))

    exact = precise(given)
    assert torch.autograd.gradcheck(double, exact, eps=3e-3, atol=2e-3, rtol=1e-2)


def test_frozen_weights_have_no_gradient_and_change_none() -> None:
    given = case((5, 4, 6, 16))
    whole = with_gradients(native, given)
    frozen = [*given[:3], *(weight.detach() for weight in given[3:])]
    torch.manual_seed(2)
    outputs = native(frozen)
    sum((out * torch.randn(out.shape)).sum() for out in outputs).backward()
    for tensor, gradient in zip(given[:3], whole[3:6], strict=True):
        assert torch.equal(tensor.grad, gradient)
    assert all(weight.grad is None for weight in given[3:])


def test_the_number_of_threads_changes_no_bit_of_outputs() -> None:
    found = []
    for threads in (1, 2, 5):
        torch.set_num_threads(threads)
        found.append(with_gradients(native, case((37, 6, 10, 32))))
    for one, *others in zip(*(run[:6] for run in found), strict=True):  # weights: sums over rows
        assert all(torch.equal(one, other) for other in others)


def test_the_gradient_has_no_gradient() -> None:
    given = case((4, 2, 2, 16))
    outputs = native(given)[0]
    [gradient] = torch.autograd.grad(outputs.square().sum(), given[:1], create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()


def test_where_it_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.set_num_threads(1)
    weights = RecurrentLayer(8, kind="lstm", width=16).kernel.all_weights[0]
    fits = torch.zeros(12, 3, 8)
    assert has_native_lstm(fits, weights)
    assert not has_native_lstm(fits[:11], weights)
    assert not has_native_lstm(fits.double(), [weight.double() for weight in weights])
    assert not has_native_lstm(fits, [weight.bfloat16() for weight in weights])
    odd = RecurrentLayer(7, kind="lstm", width=16).kernel.all_weights[0]
    assert not has_native_lstm(fits[:, :, :7], odd)
    narrow = RecurrentLayer(8, kind="lstm", width=20).kernel.all_weights[0]
    assert not has_native_lstm(fits, narrow)
    torch.set_num_threads(2)
    assert not has_native_lstm(fits, weights)
    torch.set_num_threads(1)
    with monkeypatch.context() as patch, torch.autocast("cpu", torch.bfloat16):
        assert has_native_lstm(fits, weights)
        patch.setattr(kernels_lstm, "processor_features", lambda: ["avx512_bf16", "amx_bf16"])
        assert not has_native_lstm(fits, weights)
    monkeypatch.setenv("TRANSDUCE_NATIVE", "0")
    library._load.cache_clear()
    try:
        assert not has_native_lstm(fits, weights)
    finally:
        library._load.cache_clear()


@pytest.mark.parametrize("half", [False, True])
def test_a_layer_learns_with_it_what_it_predicts_without(half: bool) -> None:
    torch.set_num_threads(1)
    torch.manual_seed(3)
    layer = RecurrentLayer(24, kind="lstm", width=32)
    vectors = torch.randn(20, 7, 24)
    with torch.autocast("cpu", torch.bfloat16, enabled=half):
        outputs, (hidden, cell) = layer(vectors, layer.initial(vectors))
        assert "_LSTM" in type(outputs.grad_fn).__name__
        with torch.no_grad():
            plain, (plain_hidden, plain_cell) = layer(vectors, layer.initial(vectors))
    tolerance = BFLOAT16 if half else 1e-5
    for found, wanted in ((outputs, plain), (hidden, plain_hidden), (cell, plain_cell)):
        assert farthest(found, wanted.double()) < tolerance
