from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from transduce.kernels.library import has_library
from transduce.modules import selective_state_space
from transduce.modules.selective_state_space import SelectiveStateSpace, select_and_scan


def silu(x: np.ndarray) -> np.ndarray:
    return x / (1 + np.exp(-x))


def numpy_layer(layer: SelectiveStateSpace, vectors: np.ndarray) -> np.ndarray:
    """Gu and Dao 2023, sections 3.2 and 3.4, for one source ``[S, D]``, step by step, both ways."""
    own = {name: each.detach().numpy() for name, each in layer.named_parameters()}
    E, N, S = layer.width, layer.state_width, len(vectors)
    bias = dict.fromkeys(("value", "gate"), 0.0) | {
        name.split(".")[0]: own[name] for name in own if name in ("value.bias", "gate.bias")
    }
    u = vectors @ own["value.weight"].T + bias["value"]
    taps, A = own["taps"].reshape(4, E), -np.exp(own["decay"].reshape(E, N))
    outputs = np.zeros((S, E))
    v = np.zeros((S, E))
    halves = ((slice(None, E // 2), 1), (slice(E // 2, None), -1))
    for columns, way in halves:
        for t in range(S):
            total = own["taps_bias"][columns].copy()
            for back in range(4):
                if 0 <= t - way * back < S:
                    total += taps[3 - back, columns] * u[t - way * back, columns]
            v[t, columns] = silu(total)
    delta = np.log1p(np.exp(v @ own["rank.weight"].T @ own["step.weight"].T + own["step.bias"]))
    selected = (v @ own["selection.weight"].T).reshape(S, 2, 2, N)  # direction, B or C
    for number, (columns, way) in enumerate(halves):
        h = np.zeros((E // 2, N))
        for t in range(S)[::way]:
            B, C = selected[t, number]
            h = np.exp(delta[t, columns, None] * A[columns]) * h
            h = h + delta[t, columns, None] * v[t, columns, None] * B
            outputs[t, columns] = h @ C
    gate = silu(vectors @ own["gate.weight"].T + bias["gate"])
    return (outputs + own["skip"] * v) * gate


@pytest.mark.parametrize("bias", [True, False])
def test_layer_is_the_paper_s(bias: bool) -> None:
    torch.manual_seed(4)
    layer = SelectiveStateSpace(6, channels=10, state_width=3, bias=bias).double()
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter, std=0.6)
    vectors = torch.randn(3, 8, 6).double()
    lengths = [8, 3, 1]
    mask = torch.arange(8) < torch.tensor(lengths)[:, None]
    outputs = layer(vectors, mask)
    for own, given, length in zip(outputs, vectors, lengths, strict=True):
        expected = numpy_layer(layer, given[:length].numpy())
        np.testing.assert_allclose(own[:length].detach(), expected, rtol=0, atol=1e-12)
        assert not own[length:].any()


def test_first_steps_are_spread_and_decays_are_those_of_the_paper() -> None:
    layer = SelectiveStateSpace(8, channels=12, state_width=5, bias=True)
    steps = torch.nn.functional.softplus(layer.step.bias.detach())
    for half in (steps[:6], steps[6:]):
        torch.testing.assert_close(half[[0, -1]], torch.tensor([0.001, 0.1]), rtol=1e-3, atol=0)
        torch.testing.assert_close(half[1:] / half[:-1], torch.full((5,), 100 ** (1 / 5)))
    decays = layer.decay.detach().exp().view(12, 5)
    torch.testing.assert_close(decays, torch.arange(1.0, 6).expand(12, 5))


def test_layer_needs_two_halves() -> None:
    with pytest.raises(ValueError, match="channels must be even; got 7"):
        SelectiveStateSpace(7, channels=7, state_width=2, bias=True)


def given(shape: tuple[int, int, int], states: int, dtype: torch.dtype) -> list[Tensor]:
    torch.manual_seed(5)
    B, S, E = shape
    numbers = torch.randn(shape), torch.rand(shape) / 2, -3 * torch.rand(E * states)
    selection = torch.randn(B, S, 4 * states)
    return [each.to(dtype).requires_grad_() for each in (*numbers, selection)]


def test_gradients_of_chunks_are_right(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selective_state_space, "_CHUNK", 3)
    assert torch.autograd.gradcheck(select_and_scan, given((1, 5, 2), 2, torch.float64))


SHAPES = [((1, 1, 2), 1), ((2, 70, 10), 5), ((3, 33, 64), 16), ((1, 65, 34), 20)]


@pytest.mark.parametrize(("shape", "states"), SHAPES)
def test_every_way_through_time_is_the_same(shape: tuple[int, int, int], states: int) -> None:
    """Native kernels are for float32, chunks for all else."""
    found = []
    for dtype in (torch.float64, torch.float32):
        numbers = given(shape, states, dtype)
        outputs = select_and_scan(*numbers)
        weights = torch.linspace(-1, 1, outputs.numel()).view(shape).to(dtype)
        gradients = torch.autograd.grad((outputs * weights).sum(), numbers)
        found.append([outputs.detach(), *gradients])
    for exact, rounded in zip(*found, strict=True):
        torch.testing.assert_close(rounded.double(), exact, rtol=1e-4, atol=1e-4)


@pytest.mark.skipif(not has_library(), reason="there are no native kernels here")
def test_float32_takes_the_native_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*given: Tensor) -> Tensor:
        raise AssertionError("chunks were made")

    monkeypatch.setattr(selective_state_space, "_onwards", refuse)
    select_and_scan(*given((2, 5, 4), 3, torch.float32))
    with pytest.raises(AssertionError, match="chunks were made"):
        select_and_scan(*given((2, 5, 4), 3, torch.float64))


def test_no_states_of_all_positions_are_made() -> None:
    """In training: what autograd keeps is a few numbers a channel, not N of them."""
    layer = SelectiveStateSpace(8, channels=96, state_width=64, bias=False)
    kept = 0

    def count(tensor: Tensor) -> Tensor:
        nonlocal kept
        kept += tensor.numel()
        return tensor

    vectors, mask = torch.randn(1, 512, 8), torch.ones(1, 512, dtype=torch.bool)
    with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
        layer(vectors, mask)
    assert kept < 512 * 96 * 64 // 2


def test_states_are_float32_under_autocast() -> None:
    torch.manual_seed(2)
    layer = SelectiveStateSpace(16, channels=32, state_width=4, bias=True)
    vectors, mask = torch.randn(2, 6, 16), torch.ones(2, 6, dtype=torch.bool)
    exact = layer(vectors, mask)
    with torch.autocast("cpu", torch.bfloat16):
        rounded = layer(vectors, mask)
    assert rounded.dtype == torch.float32
    torch.testing.assert_close(rounded, exact, atol=0.03, rtol=0.03)
