"""The fast form of every architecture says what the model says."""

from __future__ import annotations

import pytest
import torch
from engine_kernels import LESSER, kernels
from torch import Tensor
from torch.testing import assert_close

from architectures import (
    ARCHITECTURES,
    SYMBOLS,
    WITH_ATTENTION,
    make_model,
    make_source_for,
    make_target,
    sentences,
)
from transduce.config import SearchConfig
from transduce.engine import fast_stepper
from transduce.interfaces import END
from transduce.models.seq2seq import Seq2Seq
from transduce.search import decode

# float32: sums in another order, e^x to 2e-7. The others round each number of a product, to 8
# bits of 7 digits, on models whose weights were drawn at random: see the logits' spread.
TOLERANCE = {"float32": 2e-5, "bfloat16": 0.06, "int8": 0.2}
SOURCES = sentences(6, 2, 20, 0, seed=1)
TARGETS = sentences(5, 3, 36, 1, seed=2)  # more than a cache has room for at first
FRAMED = ("convolution-transformer", "convolution-lstm-feeding", "subsampling-gru")
SEARCHED = ("lstm-dot", "gru-cosine", "transformer-rotary", "transformer-copy", "ssru", *FRAMED)


@pytest.fixture(params=ARCHITECTURES)
def model(request: pytest.FixtureRequest) -> Seq2Seq:
    kernels()
    return make_model(ARCHITECTURES[request.param])


@pytest.fixture(params=list(TOLERANCE))
def number(request: pytest.FixtureRequest) -> str:
    return request.param


def assert_near(found: Tensor, expected: Tensor, number: str) -> None:
    assert_close(found, expected, atol=TOLERANCE[number], rtol=1e-4)


def test_logits_are_those_of_the_model(model, number):
    engine = fast_stepper(model, number)
    assert engine is not model
    with torch.inference_mode():
        expected = model(make_source_for(model, SOURCES), make_target(TARGETS))
    found, state = engine.step(make_target(TARGETS), engine.start(make_source_for(model, SOURCES)))
    assert found.shape == expected.shape
    assert state.position == make_target(TARGETS).shape[1]
    assert_near(found, expected, number)


def moves(model, stepper, *, attention: bool):
    """What a beam does: read, widen, change parents, drop sentences."""
    generator = torch.Generator().manual_seed(3)
    logits, state = stepper.step(
        make_target([[], [], [], []]),
        stepper.start(make_source_for(model, SOURCES), attention=attention),
    )
    state = state.expand(3)
    for move in range(5):
        if move == 2:
            state = state.select(torch.tensor([2, 0, 1]))
        count = 4 if move < 2 else 3
        first = torch.arange(count).repeat_interleave(3) * 3
        origin = first + torch.randint(3, (3 * count,), generator=generator)
        tokens = torch.randint(4, SYMBOLS, (3 * count, 1), generator=generator)
        logits, state = stepper.step(tokens, state.reorder(origin))
    return logits, state


def test_beams_move_as_the_model_moves_them(model, number):
    with torch.inference_mode():
        expected, _ = moves(model, model, attention=False)
    found, _ = moves(model, fast_stepper(model, number), attention=False)
    assert_near(found, expected, number)


@pytest.mark.parametrize("name", WITH_ATTENTION)
def test_attention_is_that_of_the_model(name):
    kernels()
    model = make_model(ARCHITECTURES[name])
    with torch.inference_mode():
        _, expected = moves(model, model, attention=True)
    _, found = moves(model, fast_stepper(model, "float32"), attention=True)
    assert_close(found.attention, expected.attention, atol=1e-5, rtol=1e-4)


def test_proposed_are_the_most_probable(model):
    engine = fast_stepper(model, "float32")
    tokens = make_target([[7], [4], [9], [5]])
    with torch.inference_mode():
        logits, _ = model.step(tokens, model.start(make_source_for(model, SOURCES)))
    _, state = engine.step(tokens[:, :1], engine.start(make_source_for(model, SOURCES)))
    found, _ = engine.propose(tokens[:, 1:], state, 5)
    expected = logits[:, -1].log_softmax(-1)
    written = expected[:, END:]  # PADDING, UNKNOWN and BEGIN never are
    assert_close(found.log_probs, written.topk(5).values, atol=2e-5, rtol=1e-4)
    assert_close(expected.gather(1, found.tokens), found.log_probs, atol=2e-5, rtol=1e-4)
    everything, _ = engine.propose(tokens[:, 1:], state, SYMBOLS + 5)
    assert everything.tokens.sort().values.tolist() == [list(range(END, SYMBOLS))] * 4


def test_what_is_no_number_is_said(model, number):
    with torch.no_grad():  # numbers, but one of two sums is infinite
        model.output.weight[5].normal_().mul_(5e37)
        model.output.weight[6] = -model.output.weight[5]
        model.output.bias[5:7] = torch.finfo(torch.float32).max
    engine = fast_stepper(model, number)
    found, _ = engine.propose(
        make_target([[], []]), engine.start(make_source_for(model, SOURCES[:2])), 3
    )
    assert bool(found.log_probs[:, 0].isnan().all())


def test_a_state_is_not_changed_by_a_step(model):
    engine = fast_stepper(model, "float32")
    _, state = engine.step(
        make_target(TARGETS)[:, :2], engine.start(make_source_for(model, SOURCES))
    )
    first, _ = engine.step(make_target(TARGETS)[:, 2:3], state)
    engine.step(make_target(TARGETS)[:, 3:5], state)
    again, _ = engine.step(make_target(TARGETS)[:, 2:3], state)
    assert torch.equal(first, again)


@pytest.mark.parametrize("name", SEARCHED)
@pytest.mark.parametrize("options", [{}, {"beam": 4}, {"beam": 5, "nbest": 3}])
def test_search_finds_the_same(name, options):
    kernels()
    model = make_model(ARCHITECTURES[name])
    config = SearchConfig(max_length=12, **options)
    expected = decode(model, make_source_for(model, SOURCES), config)
    found = decode(fast_stepper(model, "float32"), make_source_for(model, SOURCES), config)
    for mine, theirs in zip(found, expected, strict=True):
        assert [h.tokens for h in mine] == [h.tokens for h in theirs]
        for one, other in zip(mine, theirs, strict=True):
            assert one.score == pytest.approx(other.score, abs=1e-4)


@pytest.mark.parametrize("name", SEARCHED)
@pytest.mark.parametrize("architecture", LESSER)
def test_with_fewer_vector_instructions(name, number, architecture):
    kernels(architecture)
    model = make_model(ARCHITECTURES[name])
    engine = fast_stepper(model, number, architecture=architecture)
    with torch.inference_mode():
        expected = model(make_source_for(model, SOURCES), make_target(TARGETS))
    found, _ = engine.step(make_target(TARGETS), engine.start(make_source_for(model, SOURCES)))
    assert_near(found, expected, number)


def test_several_threads_say_the_same(model):
    engine = fast_stepper(model, "float32")
    alone, _ = moves(model, engine, attention=False)
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        together, _ = moves(model, engine, attention=False)
    finally:
        torch.set_num_threads(before)
    assert_close(together, alone, atol=1e-6, rtol=0)
