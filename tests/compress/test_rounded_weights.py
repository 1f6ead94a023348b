"""Weights in fewer bytes: their numbers against NumPy's, and tensors that stand for floats."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from architectures import ARCHITECTURES, make_model, make_source_for, make_target, sentences
from native_kernels import require_kernels
from transduce.compress import Shrunk, floats_of, int8_rows, shrunk
from transduce.compress.groups import GROUP, LEVELS
from transduce.kernels import nearest_levels as searching
from transduce.models.seq2seq import Seq2Seq
from transduce.models.storage import adopt_weights, named_weights, restore_floats

NUMBERS = ["bfloat16", "int8", "int4"]


def drawn(rows: int, width: int, seed: int = 1) -> Tensor:
    return torch.randn(rows, width, generator=torch.Generator().manual_seed(seed))


def shrunk_model(model: Seq2Seq, number: str) -> Seq2Seq:
    model = copy.deepcopy(model)
    adopt_weights(model, {n: shrunk(w, number) for n, w in named_weights(model).items()})
    return model


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 20), st.integers(8, 90), st.integers(0, 99))
def test_int8_is_a_row_over_its_largest_size(rows: int, width: int, seed: int) -> None:
    floats = drawn(rows, width, seed)
    floats[0] = 0
    held = int8_rows(shrunk(floats, "int8"))
    wanted = floats.numpy().astype(np.float32)
    tops = np.abs(wanted).max(1)
    scales = np.where(tops > 1e-30, tops / np.float32(127), np.float32(1))
    assert held is not None
    np.testing.assert_array_equal(held.scales.numpy(), scales)
    np.testing.assert_array_equal(held.codes.read().numpy(), np.rint(wanted / scales[:, None]))
    np.testing.assert_array_equal(
        held.floats().numpy(), held.codes.read().numpy().astype(np.float32) * scales[:, None]
    )


@settings(max_examples=30, deadline=None)
@given(st.integers(20, 40), st.integers(30, 90), st.integers(0, 99))
def test_int4_is_near_and_nearer_than_equal_steps_would_be(
    rows: int, width: int, seed: int
) -> None:
    floats = drawn(rows, width, seed)
    found = floats_of(shrunk(floats, "int4")).numpy()
    padded = np.pad(floats.numpy(), ((0, 0), (0, -width % GROUP))).reshape(rows, -1, GROUP)
    tops = np.abs(padded).max(2, keepdims=True)
    units = tops / 7
    plain = np.clip(np.rint(padded / np.maximum(units, 1e-9)), -8, 7) * units
    plain = plain.reshape(rows, -1)[:, :width]
    wanted = floats.numpy()
    assert np.square(found - wanted).sum() <= np.square(plain - wanted).sum() * 1.001
    tops = np.repeat(tops[..., 0], GROUP, 1)[:, :width]
    assert (np.abs(found - wanted) <= 0.31 * tops).all()  # what is above 0.7 of the largest is cut


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 40), st.integers(1, 99), st.integers(0, 99), st.integers(-30, 30))
def test_int4_is_the_same_without_kernels(rows: int, width: int, seed: int, power: int) -> None:
    require_kernels()
    floats = drawn(rows, width, seed) * 2.0**power
    floats[0] = 0
    if seed % 3 == 0:
        floats = floats.half().float()  # numbers that often lie half way
    scales = (2.0**power * (torch.rand(rows, -(-width // GROUP), 5) + 0.01)).clamp_min(2.0**-14)
    for found, wanted in zip(
        searching._native(floats, scales, LEVELS),
        searching._searched(floats, scales, LEVELS),
        strict=True,
    ):
        assert torch.equal(found, wanted)


def test_int4_takes_the_scale_of_least_error() -> None:
    floats = drawn(3, 40)
    tried = torch.rand(3, 2, 7) + 0.5
    codes, best = searching.nearest_levels(floats, tried, LEVELS)
    for row in range(3):
        for group, part in enumerate((slice(0, 32), slice(32, 40))):
            numbers = floats[row, part].double().numpy()
            nearest = [
                np.abs(numbers[:, None] - float(s) * LEVELS.double().numpy()).argmin(1)
                for s in tried[row, group]
            ]
            errors = [
                np.square(numbers - float(s) * LEVELS.double().numpy()[own]).sum()
                for s, own in zip(tried[row, group], nearest, strict=True)
            ]
            assert best[row, group] == np.argmin(errors)
            np.testing.assert_array_equal(codes[row, part], nearest[np.argmin(errors)])


def test_int4_levels_are_those_of_least_error_for_normal_numbers() -> None:
    """Each level is the mean of the numbers nearest to it (Max 1960, equations 4 and 5)."""
    levels = LEVELS.double().numpy() * 2.733
    numbers = np.linspace(-9, 9, 2_000_001)
    density = np.exp(-np.square(numbers) / 2)
    nearest = np.searchsorted((levels[1:] + levels[:-1]) / 2, numbers)
    weights = np.bincount(nearest, density)
    np.testing.assert_allclose(np.bincount(nearest, density * numbers) / weights, levels, atol=1e-3)


def test_bfloat16_is_the_nearest() -> None:
    floats = drawn(5, 9)
    assert torch.equal(floats_of(shrunk(floats, "bfloat16")), floats.bfloat16().float())


@pytest.mark.parametrize("number", NUMBERS)
def test_what_is_no_matrix_stays(number: str) -> None:
    for tensor in (
        torch.randn(9),
        torch.randn(1, 40),
        torch.randn(9, 7),
        torch.arange(90).view(9, 10),
    ):
        assert shrunk(tensor, number) is tensor


@pytest.mark.parametrize("number", NUMBERS)
def test_it_stands_for_its_floats(number: str) -> None:
    weight = shrunk(drawn(12, 16), number)
    floats, vectors = floats_of(weight), drawn(3, 16, 2).requires_grad_()
    assert isinstance(weight, Shrunk)
    assert weight.shape == floats.shape
    assert weight.dtype == torch.float32
    found = nn.functional.linear(vectors, weight)
    assert torch.equal(found, nn.functional.linear(vectors, floats))
    (gradient,) = torch.autograd.grad(found.sum(), vectors)
    torch.testing.assert_close(gradient, floats.sum(0).expand(3, 16))
    with torch.inference_mode():
        assert torch.equal(weight[2:5].t() + 0, floats[2:5].t())
        assert torch.equal(torch.cat([weight, weight]) + 0, torch.cat([floats, floats]))
        assert torch.equal(2 * weight + 0, 2 * floats)
    assert torch.equal(floats_of(pickle.loads(pickle.dumps(weight))), floats)
    assert torch.equal(floats_of(copy.deepcopy(weight)), floats)
    assert type(weight).__name__ in repr(weight)


def test_int8_stays_int8_where_rows_stay_rows() -> None:
    weight, kernel = shrunk(drawn(12, 16), "int8"), shrunk(drawn(12, 16).view(12, 2, 8), "int8")
    flat = kernel.movedim(1, -1).flatten(1)
    assert torch.equal(flat + 0, floats_of(kernel).movedim(1, -1).flatten(1))
    for same in (
        weight.detach(),
        2 * weight,
        torch.cat([weight, weight]),
        flat,
        weight.to("cpu"),
    ):
        assert isinstance(same, Shrunk)
    assert not isinstance(-2 * weight, Shrunk)
    assert not isinstance(weight.t(), Shrunk)
    assert not isinstance(kernel.movedim(0, -1), Shrunk)
    assert not isinstance(weight.bfloat16(), Shrunk)


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("name", ["lstm-deep", "gru-copy-feeding", "transformer-bart"])
def test_a_model_computes_as_with_floats(name: str, number: str) -> None:
    model = make_model(ARCHITECTURES[name])
    smaller = shrunk_model(model, number)
    restored = copy.deepcopy(smaller)
    restore_floats(restored)
    assert not any(isinstance(weight, Shrunk) for weight in restored.parameters())
    source, target = make_source_for(model, sentences(3, 5)), make_target(sentences(4, 2))
    with torch.inference_mode():
        found, floats, own = (each(source, target) for each in (smaller, restored, model))
    assert torch.equal(found, floats)
    assert (found - own).abs().max() < {"bfloat16": 0.1, "int8": 0.2, "int4": 1.5}[number]


def test_tied_weights_stay_tied() -> None:
    model = shrunk_model(make_model(ARCHITECTURES["transformer-tied"]), "int8")
    assert isinstance(model.output.weight, Shrunk)
    assert model.output.weight is model.target_embedding.weight is model.source_embedding.weight
