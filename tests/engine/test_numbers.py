"""What is no number is refused where weights are packed, and stays none in what is computed."""

from __future__ import annotations

import struct
from typing import Any

import pytest
import torch
from engine_kernels import LESSER, kernels
from torch import Tensor

from architectures import ARCHITECTURES, make_model, make_source_for
from transduce.config import SearchConfig
from transduce.engine import fast_stepper
from transduce.engine.programs.program import Number, Program
from transduce.engine.programs.weights import Weights
from transduce.errors import ModelError, SearchError
from transduce.kernels.running.runner import Extent, Runner
from transduce.models.seq2seq import Seq2Seq
from transduce.search import decode

NUMBERS: list[Number] = ["float32", "bfloat16", "int8"]
# Not only the one that arithmetic makes.
BITS = [0x7FC00000, 0xFFC00000, 0x7FFFFFFF, 0xFFFFFFFF, 0x7F800001, 0x7F800000, 0xFF800000]
VALUES = [struct.unpack("<f", struct.pack("<I", bits))[0] for bits in BITS]
REFUSED = "weights must be finite numbers; got (nan|inf|-inf) in {}$"


def exact(bits: int) -> Tensor:
    """One float of these bits, which Python's own numbers might change."""
    return torch.tensor([bits - (1 << 32) * (bits >> 31)], dtype=torch.int32).view(torch.float32)


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("place", [0, 16, 34])
def test_a_packed_weight(number: Number, bits: int, place: int) -> None:
    weight, bias = torch.randn(5, 7), torch.randn(5)
    weight.view(-1)[place] = exact(bits)[0]
    with pytest.raises(ModelError, match="weights must be finite numbers"):
        Weights(kernels(), number, weight, bias)
    with pytest.raises(ModelError, match="weights must be finite numbers"):
        Weights(kernels(), number, torch.randn(5, 7), weight.view(-1)[place].expand(5))


def test_what_bfloat16_rounds_to_infinity() -> None:
    weight = torch.randn(5, 7)
    weight[4, 6] = -3.4e38
    with pytest.raises(ModelError, match="weights must be finite numbers"):
        Weights(kernels(), "bfloat16", weight)
    for number in ("float32", "int8"):
        Weights(kernels(), number, weight)
    with pytest.raises(ModelError, match="weights must be finite numbers"):
        Weights(kernels(), "float32", torch.full((2, 2), 1e300, dtype=torch.float64))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_other_numbers_of_a_program(value: float) -> None:
    program = Program(kernels(), "int8")
    wide, narrow = program.buffer(6), program.buffer(6)
    bad, good = torch.ones(6), torch.ones(6)
    bad[5] = value
    heads = {"heads": (1, 1, 6), "value_width": 6, "keys": "keys", "values": "values"}
    look: dict[str, Any] = {**heads, "lengths": "lengths", "factor": 1.0}
    for attempt in (
        lambda: program.embed(wide, "tokens", bad.expand(3, 6), 1.0),
        lambda: program.norm(wide, narrow, bad, good, 1e-5, centred=True),
        lambda: program.norm(wide, narrow, good, bad, 1e-5, centred=True),
        lambda: program.memory_attention(wide, narrow, **look, additive=bad),
    ):
        with pytest.raises(ModelError, match="weights must be finite numbers"):
            attempt()


@pytest.mark.parametrize("engine", ["reference", *NUMBERS])
@pytest.mark.parametrize("name", ["lstm-copy", "transformer-learned", "subsampling-gru"])
def test_every_parameter_of_a_model_is_named(engine: str, name: str) -> None:
    kernels()
    model = make_model(ARCHITECTURES[name])
    for own, parameter in model.named_parameters():
        with torch.no_grad():
            kept = parameter.view(-1)[-1].clone()
            parameter.view(-1)[-1] = VALUES[len(own) % len(VALUES)]
            with pytest.raises(ModelError, match=REFUSED.format(own)):
                fast_stepper(model, engine)
            parameter.view(-1)[-1] = kept
    fast_stepper(model, engine)


def affine(number: Number, inputs: Tensor, architecture: str | None) -> Tensor:
    program = Program(kernels(architecture), number)
    source, out = program.buffer(inputs.shape[1]), program.buffer(40)
    program.fetch("inputs", source, stride=inputs.shape[1])
    program.linear(source, out, torch.randn(40, inputs.shape[1]))
    program.put(out, "out", stride=40)
    found = torch.empty(len(inputs), 40)
    extent = Extent(rows=len(inputs), sentences=1, source=len(inputs))
    Runner(program).run({"inputs": inputs.contiguous(), "out": found}, extent)
    return found


@pytest.mark.parametrize("architecture", [None, *LESSER])
@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("bits", BITS)
def test_an_activation_that_is_none_stays_none(
    number: Number, bits: int, architecture: str | None
) -> None:
    for place in (0, 7, 15, 16, 36):  # in whole vectors and behind them
        torch.manual_seed(place)
        inputs = torch.randn(9, 37)
        inputs[4, place] = exact(bits)[0]
        found = affine(number, inputs, architecture)
        assert not bool(found[4].isfinite().any())
        others = [row for row in range(9) if row != 4]
        assert bool(found[others].isfinite().all())


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("size", [1e-45, 1e-40, 1e-38, 1e-35, 1e-20, 1e20, 1e30])
def test_weights_and_activations_of_any_size(number: Number, size: float) -> None:
    torch.manual_seed(1)
    weight, inputs = torch.randn(24, 18), torch.randn(6, 18)
    for scaled_weight, scaled in ((weight * size, inputs), (weight, inputs * size)):
        program = Program(kernels(), number)
        source, out = program.buffer(18), program.buffer(24)
        program.fetch("inputs", source, stride=18)
        program.linear(source, out, scaled_weight)
        program.put(out, "out", stride=24)
        found = torch.empty(6, 24)
        tensors = {"inputs": scaled.contiguous(), "out": found}
        Runner(program).run(tensors, Extent(rows=6, sentences=1, source=6))
        error = (found - inputs @ weight.T * size).abs().max()
        assert error <= 0.3 * max(size, 1e-27)


@pytest.mark.parametrize("number", NUMBERS)
def test_a_frame_that_is_no_number_is_said(number: Number) -> None:
    kernels()
    model = make_model(ARCHITECTURES["subsampling-gru"])
    engine: Any = fast_stepper(model, number)
    source = make_source_for(model, [[5, 6, 7], [8, 9]])
    source.values[0, 3, 2] = float("nan")
    with pytest.raises(SearchError, match="scores of the model must be numbers; got NaN"):
        decode(engine, source, SearchConfig(beam=2, max_length=5))


def test_a_frame_that_is_no_number_harms_no_neighbour() -> None:
    kernels()
    model: Seq2Seq = make_model(ARCHITECTURES["linear-gru"])
    engine: Any = fast_stepper(model, "int8")
    source = make_source_for(model, [[5, 6, 7], [8, 9]])
    expected = engine.start(source).decoder.memory.vectors[1].clone()
    source.values[0, 3, 2] = float("nan")
    assert torch.equal(engine.start(source).decoder.memory.vectors[1], expected)
