"""The engine of a shrunk model: bit for bit that of the same floats, packed as they are stored."""

from __future__ import annotations

import copy

import pytest
import torch
from engine_kernels import LESSER, kernels
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from architectures import (
    ARCHITECTURES,
    OVER_FRAMES,
    make_model,
    make_source_for,
    make_target,
    sentences,
)
from transduce.compress import Shrunk, floats_of, int8_rows, shrunk
from transduce.config import SearchConfig
from transduce.engine import fast_stepper
from transduce.engine.programs.program import Program
from transduce.engine.programs.weights import Weights
from transduce.errors import ModelError
from transduce.kernels.running.runner import Extent, Runner
from transduce.models.seq2seq import Seq2Seq
from transduce.models.storage import adopt_weights, named_weights, restore_floats
from transduce.search import decode

SOURCES, TARGETS = sentences(6, 2, 20, 0, seed=1), sentences(5, 3, 9, 1, seed=2)
ALL = {**ARCHITECTURES, **OVER_FRAMES}


def shrunk_model(model: Seq2Seq, number: str) -> Seq2Seq:
    adopt_weights(model, {n: shrunk(w, number) for n, w in named_weights(model).items()})
    return model


def engine_logits(model: Seq2Seq, number: str, architecture: str | None = None) -> Tensor:
    engine = fast_stepper(model, number, architecture=architecture)
    assert engine is not model
    return engine.step(make_target(TARGETS), engine.start(make_source_for(model, SOURCES)))[0]


@pytest.mark.parametrize("name", ALL)
def test_it_is_the_engine_of_its_floats(name: str) -> None:
    kernels()
    model = shrunk_model(make_model(ALL[name]), "int8")
    floats = copy.deepcopy(model)
    restore_floats(floats)
    assert torch.equal(engine_logits(model, "int8"), engine_logits(floats, "int8"))


# Where embeddings are not tied and all products are int8 nothing but the embeddings differs.
@pytest.mark.parametrize("name", ["transformer", "transformer-t5", "transformer-grouped"])
def test_products_are_those_of_the_float_models_own_engine(name: str) -> None:
    kernels()
    model = make_model(ALL[name])
    weights = named_weights(model)
    tables = {n: floats_of(shrunk(w, "int8")) for n, w in weights.items() if "embedding" in n}
    rounded = copy.deepcopy(model)
    adopt_weights(rounded, {**weights, **tables})
    found = engine_logits(shrunk_model(model, "int8"), "int8")
    assert torch.equal(found, engine_logits(rounded, "int8"))


@pytest.mark.parametrize("stored", ["int8", "bfloat16", "int4"])
@pytest.mark.parametrize("number", ["float32", "bfloat16", "int8"])
@pytest.mark.parametrize("name", ["lstm-tied", "transformer-tied", "convolution-narrow"])
def test_any_engine_of_any_numbers(name: str, number: str, stored: str) -> None:
    kernels()
    model = shrunk_model(make_model(ALL[name]), stored)
    with torch.inference_mode():
        expected = model(make_source_for(model, SOURCES), make_target(TARGETS))
    found = engine_logits(model, number)
    tolerance = {"float32": 2e-5, "bfloat16": 0.06, "int8": 0.2}[number]
    if stored == "int4" and number != "int8":
        tolerance += 0.2  # its tables are int8 in every engine
    torch.testing.assert_close(found, expected, atol=tolerance, rtol=1e-4)


@pytest.mark.parametrize("architecture", LESSER)
def test_with_fewer_vector_instructions(architecture: str) -> None:
    kernels(architecture)
    model = shrunk_model(make_model(ALL["transformer-tied"]), "int8")
    floats = copy.deepcopy(model)
    restore_floats(floats)
    found, expected = (engine_logits(each, "int8", architecture) for each in (model, floats))
    assert torch.equal(found, expected)


def test_search_finds_the_same() -> None:
    kernels()
    model = shrunk_model(make_model(ALL["transformer-copy"]), "int8")
    floats = copy.deepcopy(model)
    restore_floats(floats)
    config = SearchConfig(max_length=12, beam=4)
    one, other = (
        decode(fast_stepper(each, "int8"), make_source_for(each, SOURCES), config)
        for each in (model, floats)
    )
    assert one == other


def test_the_model_itself_predicts_with_floats() -> None:
    model = shrunk_model(make_model(ALL["gru-general"]), "int8")
    stepper = fast_stepper(model, "reference")
    assert isinstance(stepper, Seq2Seq)
    assert not any(isinstance(weight, Shrunk) for weight in stepper.parameters())
    assert isinstance(model.output.weight, Shrunk)


def products(program: Program, source: int, out: int, given: dict[str, Tensor], N: int, K: int):
    program.put(source, "read", stride=K)
    program.put(out, "out", stride=N)
    B = len(given["tokens"])
    read, sums = torch.empty(B, K), torch.empty(B, N)
    Runner(program).run({**given, "read": read, "out": sums}, Extent(rows=B, sentences=B, source=1))
    return read, sums


@settings(max_examples=40, deadline=None)
@given(
    st.integers(2, 70),
    st.integers(8, 100),
    st.integers(1, 9),
    st.sampled_from(["int8", "bfloat16"]),
)
def test_odd_widths(N: int, K: int, rows: int, stored: str) -> None:
    """Rows of a packed table, then all of it multiplied, against PyTorch."""
    library = kernels()
    generator = torch.Generator().manual_seed(N * 101 + K)
    table = shrunk(torch.randn(N, K, generator=generator), stored)
    bias = torch.randn(N, generator=generator)
    program = Program(library, stored)
    source, out = program.buffer(K), program.buffer(N)
    program.share(table, bias)
    program.embed(source, "tokens", table, 1.5)
    program.linear(source, out, table, bias)
    tokens = torch.randint(N, (rows,), generator=generator)
    read, sums = products(program, source, out, {"tokens": tokens}, N, K)
    floats = floats_of(table)
    assert torch.equal(read, 1.5 * floats[tokens])
    expected = torch.nn.functional.linear(read, floats, bias)
    spread = 0.02 * read.norm(dim=1, keepdim=True) * floats.norm(dim=1)
    assert ((sums - expected).abs() <= spread + 1e-4).all()


@pytest.mark.parametrize("wrong", [0.0, -1.0, float("nan"), float("inf")])
def test_a_scale_that_is_none_is_refused(wrong: float) -> None:
    library = kernels()
    weight = shrunk(torch.randn(5, 9), "int8")
    rows = int8_rows(weight)
    assert rows is not None
    rows.scales[3] = wrong
    with pytest.raises(ModelError, match="finite numbers"):
        Weights(library, "int8", weight)
