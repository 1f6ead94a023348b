from __future__ import annotations

import os
import platform
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import Tensor

from transduce.modules import recurrent
from transduce.modules.recurrent import (
    RecurrentEncoderLayer,
    RecurrentLayer,
    RecurrentStack,
)

KINDS = ["rnn", "lstm", "gru"]


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def step_rnn(x, states, weights):
    W, U, b, d = weights
    return (np.tanh(W @ x + b + U @ states[0] + d),)


def step_lstm(x, states, weights):
    h, c = states
    W, U, b, d = (np.split(weight, 4) for weight in weights)
    i, f, o = (sigmoid(W[k] @ x + U[k] @ h + b[k] + d[k]) for k in (0, 1, 3))
    g = np.tanh(W[2] @ x + U[2] @ h + b[2] + d[2])
    c = f * c + i * g
    return (o * np.tanh(c), c)


def step_gru(x, states, weights):
    (h,) = states
    W, U, b, d = (np.split(weight, 3) for weight in weights)
    r, z = (sigmoid(W[k] @ x + U[k] @ h + b[k] + d[k]) for k in (0, 1))
    n = np.tanh(W[2] @ x + b[2] + r * (U[2] @ h + d[2]))
    return ((1 - z) * n + z * h,)


STEPS = {"rnn": step_rnn, "lstm": step_lstm, "gru": step_gru}


def numpy_layer(layer: RecurrentLayer, vectors: np.ndarray, states: tuple[np.ndarray, ...]):
    """One sentence ``[T, E]`` from states ``[D]``: hidden states ``[T, D]``, last states."""
    weights = [parameter.detach().numpy() for parameter in layer.parameters()]
    outputs = []
    for vector in vectors:
        states = STEPS[layer.kind](vector, states, weights)
        outputs.append(states[0])
    return np.array(outputs), states


def make_layer(kind: str, inputs: int = 5, width: int = 4) -> RecurrentLayer:
    layer = RecurrentLayer(inputs, kind=kind, width=width).double()
    for parameter in layer.parameters():  # biases that are not zero
        torch.nn.init.normal_(parameter, std=0.6)
    return layer


def random_states(kind: str, *shape: int) -> tuple[Tensor, ...]:
    return tuple(torch.randn(*shape).double() for _ in range(2 if kind == "lstm" else 1))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("length", [1, 2, 6])
def test_layer_follows_its_equations(kind: str, length: int) -> None:
    layer = make_layer(kind)
    vectors, states = torch.randn(3, length, 5).double(), random_states(kind, 3, 4)
    outputs, last = layer(vectors, states)
    for row in range(3):
        expected, expected_last = numpy_layer(
            layer, vectors[row].numpy(), tuple(state[row].numpy() for state in states)
        )
        np.testing.assert_allclose(outputs[row].detach(), expected, rtol=0, atol=1e-12)
        for state, expected_state in zip(last, expected_last, strict=True):
            np.testing.assert_allclose(state[row].detach(), expected_state, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("length", [1, 3])
def test_layer_gradients_are_right(kind: str, length: int) -> None:
    layer = make_layer(kind, inputs=3, width=2)
    vectors = torch.randn(2, length, 3).double().requires_grad_()
    states = tuple(state.requires_grad_() for state in random_states(kind, 2, 2))

    def run(vectors: Tensor, *rest: Tensor) -> tuple[Tensor, ...]:
        count = len(states)
        names = [name for name, _ in layer.named_parameters()]
        outputs, last = torch.func.functional_call(
            layer, dict(zip(names, rest[count:], strict=True)), (vectors, rest[:count])
        )
        return outputs, *last

    assert torch.autograd.gradcheck(run, (vectors, *states, *layer.parameters()))


@pytest.mark.parametrize("kind", KINDS)
def test_first_states_are_zero(kind: str) -> None:
    states = make_layer(kind).initial(torch.randn(3, 6, 5).double())
    assert len(states) == (2 if kind == "lstm" else 1)
    for state in states:
        assert state.dtype == torch.float64
        assert torch.equal(state, torch.zeros(3, 4).double())


@pytest.mark.parametrize("kind", KINDS)
def test_first_weights(kind: str) -> None:
    width = 8
    layer = RecurrentLayer(6, kind=kind, width=width)
    weights = dict(layer.kernel.named_parameters())
    for matrix in weights["weight_hh_l0"].view(-1, width, width):
        torch.testing.assert_close(matrix @ matrix.T, torch.eye(width))
    bound = (6 / (6 + width)) ** 0.5
    assert weights["weight_ih_l0"].abs().max() <= bound
    assert weights["weight_ih_l0"].abs().max() > 0.9 * bound
    total = (weights["bias_ih_l0"] + weights["bias_hh_l0"]).view(-1, width)
    forget = torch.zeros_like(total)
    if kind == "lstm":
        forget[1] = 1
    assert torch.equal(total, forget)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bidirectional", [False, True])
def test_encoder_layer_reads_each_sentence_by_its_length(kind: str, bidirectional: bool) -> None:
    layer = RecurrentEncoderLayer(5, kind=kind, width=4, bidirectional=bidirectional).double()
    lengths = [5, 1, 3]
    vectors = torch.randn(3, 5, 5).double()
    outputs, last = layer(vectors, torch.tensor(lengths))
    assert outputs.shape == (3, 5, 4)
    for row, length in enumerate(lengths):
        sentence = vectors[row, :length].numpy()
        zero = (
            (np.zeros(layer.ahead.width),) * 2 if kind == "lstm" else (np.zeros(layer.ahead.width),)
        )
        ahead, (ahead_last, *_) = numpy_layer(layer.ahead, sentence, zero)
        expected, expected_last = [ahead], [ahead_last]
        if layer.back is not None:
            back, (back_last, *_) = numpy_layer(layer.back, sentence[::-1], zero)
            expected.append(back[::-1])
            expected_last.append(back_last)
        np.testing.assert_allclose(
            outputs[row, :length].detach(), np.concatenate(expected, 1), atol=1e-12
        )
        np.testing.assert_allclose(last[row].detach(), np.concatenate(expected_last), atol=1e-12)


def test_halves_of_a_bidirectional_layer_have_half_the_width() -> None:
    layer = RecurrentEncoderLayer(5, kind="gru", width=6, bidirectional=True)
    assert layer.back is not None
    assert (layer.ahead.width, layer.back.width) == (3, 3)
    assert RecurrentEncoderLayer(5, kind="gru", width=6, bidirectional=False).ahead.width == 6


@pytest.mark.parametrize("kind", KINDS)
def test_stack_at_once_is_stack_in_pieces(kind: str) -> None:
    stack = RecurrentStack(5, kind=kind, width=4, layers=3, dropout=0.0).double()
    vectors, states = torch.randn(2, 6, 5).double(), random_states(kind, 2, 3, 4)
    whole, whole_last = stack(vectors, states)
    pieces = []
    for piece in vectors.split([1, 3, 1, 1], dim=1):
        output, states = stack(piece, states)
        pieces.append(output)
    torch.testing.assert_close(torch.cat(pieces, 1), whole)
    torch.testing.assert_close(states, whole_last)
    assert whole_last[0].shape == (2, 3, 4)
    torch.testing.assert_close(whole_last[0][:, -1], whole[:, -1])


def test_stack_drops_between_layers_while_training_only() -> None:
    vectors = torch.randn(2, 6, 5)
    for layers, differs in ((1, False), (2, True)):
        stack = RecurrentStack(5, kind="gru", width=64, layers=layers, dropout=0.5)
        states = (torch.zeros(2, layers, 64),)
        trained = stack(vectors, states)[0]
        stack.eval()
        evaluated = stack(vectors, states)[0]
        assert torch.equal(trained, evaluated) != differs
        assert torch.equal(stack(vectors, states)[0], evaluated)


@pytest.mark.parametrize("kind", KINDS)
def test_layer_runs_in_bfloat16(kind: str) -> None:
    layer = RecurrentLayer(16, kind=kind, width=16)
    for length in (1, 7):
        vectors = torch.randn(4, length, 16)
        exact, _ = layer(vectors, layer.initial(vectors))
        with torch.autocast("cpu", dtype=torch.bfloat16):
            rough, _ = layer(vectors, layer.initial(vectors))
        torch.testing.assert_close(rough.float(), exact, rtol=0, atol=0.05)
        rough.float().sum().backward()
    assert all(parameter.grad is not None for parameter in layer.parameters())


@pytest.mark.parametrize("inputs", [torch.float32, torch.bfloat16])
def test_an_lstm_that_the_processor_lacks_runs_in_float32(
    inputs: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer = RecurrentLayer(16, kind="lstm", width=16)
    vectors = torch.randn(4, 7, 16).to(inputs)
    states = tuple(torch.randn(4, 16).to(inputs) for _ in range(2))
    exact, exact_last = layer(vectors.float(), tuple(state.float() for state in states))
    monkeypatch.setattr(recurrent, "_autocasts_lstm", lambda _: False)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found, last = layer(vectors, states)
    for one, wanted in zip((found, *last), (exact, *exact_last), strict=True):
        assert torch.equal(one, wanted)
    found.sum().backward()
    assert all(parameter.grad is not None for parameter in layer.parameters())


def test_the_trial_of_an_lstm_draws_nothing_and_means_the_same_where_nothing_is_learned() -> None:
    recurrent._autocasts_lstm.cache_clear()
    learning = recurrent._autocasts_lstm(torch.bfloat16)
    recurrent._autocasts_lstm.cache_clear()
    before = torch.get_rng_state()
    with torch.inference_mode():
        assert recurrent._autocasts_lstm(torch.bfloat16) == learning
    assert torch.equal(torch.get_rng_state(), before)


ON_A_LESSER_PROCESSOR = """
import torch
from transduce.modules.recurrent import RecurrentLayer, _autocasts_lstm
layer, vectors = RecurrentLayer(16, kind="lstm", width=16), torch.randn(4, 7, 16)
with torch.autocast("cpu", torch.bfloat16):
    layer(vectors, layer.initial(vectors))[0].float().sum().backward()
print(_autocasts_lstm(torch.bfloat16))
"""


def test_an_lstm_learns_in_bfloat16_on_a_processor_without() -> None:
    run = subprocess.run(
        [sys.executable, "-c", ON_A_LESSER_PROCESSOR],
        env={**os.environ, "ONEDNN_MAX_CPU_ISA": "AVX2"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    if torch.backends.mkldnn.is_available() and platform.machine() in ("x86_64", "AMD64"):
        assert run.stdout == "False\n"
