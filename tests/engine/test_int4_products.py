"""int4 products and embeddings: weights as they are stored, in sizes that fill no panel."""

from __future__ import annotations

import pytest
import torch
from engine_kernels import LESSER, kernels

from architectures import ARCHITECTURES, make_model, make_source_for, make_target, sentences
from transduce.compress import floats_of, shrunk
from transduce.compress.groups import Int4Groups
from transduce.compress.rows import InMemory
from transduce.compress.shrunk import Shrunk
from transduce.config import SearchConfig
from transduce.engine import fast_stepper
from transduce.engine.choice import in_floats
from transduce.engine.programs.program import Program
from transduce.errors import EngineError, ModelError
from transduce.kernels.running.runner import Extent, Runner
from transduce.models.seq2seq import Seq2Seq
from transduce.models.storage import adopt_weights, named_weights
from transduce.search import decode

SHAPES = [(1, 8, 2), (2, 31, 15), (3, 32, 16), (4, 33, 17), (5, 64, 48), (6, 71, 40),
          (13, 128, 64), (49, 40, 96), (97, 40, 33)]  # fmt: skip


@pytest.mark.parametrize("architecture", [None, *LESSER])
def test_product_and_embedding(architecture: str | None) -> None:
    library = kernels(architecture)
    torch.manual_seed(3)
    for rows, depth, columns in SHAPES:
        x, before = torch.randn(rows, depth), torch.randn(rows, columns)
        weight, bias = shrunk(torch.randn(columns, depth), "int4"), torch.randn(columns)
        floats, found = floats_of(weight), torch.empty(rows, columns)
        program = Program(library, "int4")
        source, out = program.buffer(depth), program.buffer(columns)
        program.fetch("x", source, stride=depth)
        program.fetch("before", out, stride=columns)
        program.linear(source, out, weight, bias, activation="relu", add=True)
        program.put(out, "found", stride=columns)
        given = {"x": x, "before": before, "found": found}
        Runner(program).run(given, Extent(rows=rows, sentences=rows, source=1))
        wanted = torch.relu(x @ floats.T + bias) + before
        # activations: half a step of their largest size; levels: half of a 127th
        steps = floats.abs().sum(1) * x.abs().amax(1)[:, None] * (0.5 / 63 + 0.5 / 127)
        assert ((found - wanted).abs() <= 0.5 * steps + 1e-4).all(), (rows, depth, columns)

        program, found = Program(library, "int4"), torch.empty(columns, depth)
        out = program.buffer(depth)
        program.embed(out, "tokens", weight, 2.0)
        program.put(out, "found", stride=depth)
        given = {"tokens": torch.arange(columns), "found": found}
        Runner(program).run(given, Extent(rows=columns, sentences=columns, source=1))
        assert ((found - 2 * floats).abs() <= 2 * floats.abs().amax(1)[:, None] / 127).all()


def shrunk_model(name: str) -> Seq2Seq:
    model = make_model(ARCHITECTURES[name])
    adopt_weights(model, {n: shrunk(w, "int4") for n, w in named_weights(model).items()})
    return model


@pytest.mark.parametrize("name", ["transformer-tied", "ssru", "lstm-additive", "transformer-copy"])
def test_a_model_stored_in_int4(name: str) -> None:
    kernels()
    model, rows = shrunk_model(name), sentences(6, 2, 20, 0, seed=1)
    source, target = make_source_for(model, rows), make_target(sentences(5, 3, 36, 1, seed=2))
    engine = fast_stepper(model, "int4")
    with torch.inference_mode():
        wanted = in_floats(model)(source, target)
    found, _ = engine.step(target, engine.start(source))
    torch.testing.assert_close(found, wanted, atol=0.2, rtol=1e-4)
    steps = decode(engine, source, SearchConfig(beam=3, max_length=12))
    assert [len(each) for each in steps] == [1] * len(rows)


def test_weights_that_are_not_stored_so_are_refused() -> None:
    kernels()
    with pytest.raises(EngineError, match="engine must be another than int4 for weights that are"):
        fast_stepper(make_model(ARCHITECTURES["ssru"]), "int4")


@pytest.mark.parametrize("scale", [0.0, 2.0**-20, float("inf"), -1.0])
def test_scales_that_are_none_are_refused(scale: float) -> None:
    weight = shrunk(torch.randn(4, 40), "int4")
    assert isinstance(weight, Shrunk)
    assert isinstance(weight.numbers, Int4Groups)
    scales = torch.full_like(weight.numbers.scales, scale)
    broken = Int4Groups((4, 40), InMemory(weight.numbers.codes.read()), scales)
    program = Program(kernels(), "int4")
    with pytest.raises(ModelError, match="weights must be finite numbers"):
        program.linear(program.buffer(40), program.buffer(4), Shrunk(broken))
