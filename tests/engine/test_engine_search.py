"""Searches made natively from beginning to end, against the same model stepped by search itself."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch
from engine_kernels import kernels
from hypothesis import given, settings
from hypothesis import strategies as st

from architectures import ARCHITECTURES, SYMBOLS, make_model, make_source
from transduce.config import SearchConfig
from transduce.engine import fast_stepper
from transduce.errors import EngineError, ModelError, SearchError
from transduce.interfaces import END
from transduce.kernels.running import native_search
from transduce.kernels.running.runner import Runner
from transduce.models.seq2seq import Seq2Seq
from transduce.search import Constraints, Hypothesis, decode
from transduce.training.chunks.team import torch_threads

SOURCES = [[5, 6, 7], [8], [], [9, 10, 11, 12, 5, 6], [7, 7], [5, 13, 6, 8], [12, 11, 10, 9, 8]]
NAMES = ["lstm-feeding", "gru-cosine", "rnn-none", "transformer-rotary", "transformer-relative"]


class Stepwise:
    """What search knows of a stepper that makes no searches itself."""

    def __init__(self, stepper: Any) -> None:
        self.start, self.step, self.propose = stepper.start, stepper.step, stepper.propose


def talkative(name: str, seed: int, end: float, scale: float = 1.0) -> Seq2Seq:
    """A random model with opinions, whose END is as probable as ``end`` makes it.

    Where ``scale`` is small many continuations are about as good: then it matters when a beam
    closes.
    """
    torch.manual_seed(seed)
    model = make_model(ARCHITECTURES[name])
    with torch.no_grad():
        model.output.weight.normal_(0, scale)
        model.output.bias.normal_(0, 0.5)
        model.output.bias[END] = end
    return model


def assert_same(found: list[list[Hypothesis]], expected: list[list[Hypothesis]]) -> None:
    for mine, theirs in zip(found, expected, strict=True):
        assert [h.tokens for h in mine] == [h.tokens for h in theirs]
        assert [h.finished for h in mine] == [h.finished for h in theirs]
        for one, other in zip(mine, theirs, strict=True):
            assert one.score == pytest.approx(other.score, abs=1e-5)
            assert one.token_scores == pytest.approx(other.token_scores, abs=1e-5)
            assert one.log_probability == pytest.approx(sum(one.token_scores), abs=1e-9)


@st.composite
def searches(draw: st.DrawFn) -> dict[str, Any]:
    beam = draw(st.integers(1, 7))
    likely = ["bound", "bound", "generate", "generate-early", "generate-never"]
    stopping = draw(st.sampled_from(likely))
    return {
        "beam": beam,
        "nbest": draw(st.integers(1, beam)),
        "length_normalization": draw(st.sampled_from(["none", "average", "gnmt", "power"])),
        "length_alpha": draw(
            st.sampled_from([0.0, 0.6, 1.5, *([-0.5] if stopping != "bound" else [])])
        ),
        "min_length": draw(st.sampled_from([0, 0, 2, 5])),
        "max_length": draw(st.sampled_from([1, 2, 5, 9, 25])),
        "min_length_ratio": draw(st.sampled_from([None, None, 0.8])),
        "max_length_ratio": draw(st.sampled_from([None, None, 1.5])),
        "stopping": stopping,
        "forced_end": stopping != "bound" and draw(st.booleans()),
    }


@given(
    name=st.sampled_from(NAMES),
    values=searches(),
    prefix=st.sampled_from([(), (), (5,), (7, 13, 4)]),
    free=st.sampled_from([0, 0, 1, 2]),
    banned_first=st.sampled_from([(), (), (END,), (5, END, 9), tuple(range(4, SYMBOLS))]),
    seed=st.integers(0, 10_000),
    end=st.floats(-2.0, 2.5),
    scale=st.sampled_from([0.1, 0.3, 1.0]),
    sentences=st.integers(1, len(SOURCES)),
    team=st.integers(1, 3),
    together=st.booleans(),
    each=st.sampled_from([1, 2, 64]),
)
@settings(max_examples=100, deadline=None)
def test_every_search_finds_what_its_steps_find(
    name, values, prefix, free, banned_first, seed, end, scale, sentences, team, together, each
):
    kernels()
    longest = max(values["max_length"], values["min_length"], len(prefix))
    options = SearchConfig(**{**values, "max_length": longest}).without_idle()
    engine = fast_stepper(talkative(name, seed, end, scale), "float32")
    source, constraints = (
        make_source(SOURCES[:sentences]),
        Constraints(prefix=prefix, free=free, banned_first=banned_first),
    )
    expected = decode(Stepwise(engine), source, options, constraints)
    with torch_threads(team), pytest.MonkeyPatch.context() as patch:
        patch.setattr(native_search, "_together", lambda *_: together)
        for name in ("_SENTENCES_ALONE", "_SENTENCES_EACH"):
            patch.setattr(native_search, name, each)
        found = decode(engine, source, options, constraints)
    assert_same(found, expected)


@pytest.mark.parametrize("end", [-0.5, 1.0, 2.0])
@pytest.mark.parametrize("scale", [0.1, 0.4, 0.8])
def test_beams_close_when_their_steps_close(scale, end):
    kernels()
    engine = fast_stepper(talkative("gru-cosine", 5, end, scale), "float32")
    chance = random.Random(5)
    for _ in range(50):
        stopping = chance.choice(["bound", "generate", "generate-early", "generate-never"])
        beam = chance.randint(2, 6)
        options = SearchConfig(
            beam=beam,
            nbest=chance.choice([1, beam]),
            max_length=chance.choice([2, 3, 5, 12]),
            length_normalization=chance.choice(["none", "average", "gnmt", "power"]),
            length_alpha=chance.choice([0.0, 0.6, 1.5, 3.0]),
            stopping=stopping,
            forced_end=stopping != "bound" and chance.random() < 0.4,
        ).without_idle()
        expected = decode(Stepwise(engine), make_source(SOURCES), options)
        assert_same(decode(engine, make_source(SOURCES), options), expected)


def test_more_candidates_than_symbols():
    kernels()
    engine = fast_stepper(talkative("gru-cosine", 1, 0.0), "float32")
    options = SearchConfig(beam=2 * SYMBOLS, nbest=SYMBOLS, max_length=3)
    expected = decode(Stepwise(engine), make_source(SOURCES), options)
    assert_same(decode(engine, make_source(SOURCES), options), expected)


def test_it_is_used_where_the_options_permit():
    kernels()
    engine, asked = fast_stepper(talkative("gru-cosine", 1, 0.0), "float32"), []
    native = engine.search
    engine.search = lambda *arguments: asked.append(1) or native(*arguments)
    decode(engine, make_source(SOURCES), SearchConfig(beam=2, max_length=5))
    assert asked == [1]
    for options in ({"coverage_penalty": 0.2}, {"sample": True}, {"no_repeat_ngram": 2}):
        decode(engine, make_source(SOURCES), SearchConfig(max_length=5, **options))
    constraints = Constraints(required=((5, 6),))
    decode(engine, make_source(SOURCES), SearchConfig(max_length=5, beam=2), constraints)
    assert asked == [1]


@pytest.mark.parametrize("prefix", [(), (5,)])
def test_what_is_no_number_is_said(prefix):
    kernels()
    model = talkative("transformer-rotary", 1, 0.0)
    with torch.no_grad():  # numbers, but one of two sums is infinite
        model.output.weight[5].normal_().mul_(5e37)
        model.output.weight[6] = -model.output.weight[5]
        model.output.bias[5:7] = torch.finfo(torch.float32).max
    engine, constraints = fast_stepper(model, "float32"), Constraints(prefix=prefix)
    with pytest.raises(SearchError, match="scores of the model must be numbers; got NaN"):
        decode(engine, make_source(SOURCES), SearchConfig(beam=2), constraints)


def test_a_prefix_that_the_model_does_not_know():
    kernels()
    engine = fast_stepper(talkative("gru-cosine", 1, 0.0), "float32")
    constraints = Constraints(prefix=(SYMBOLS,))
    with pytest.raises(SearchError, match=rf"vocabulary's size \({SYMBOLS}\); got {SYMBOLS}"):
        decode(engine, make_source(SOURCES), SearchConfig(), constraints)


@pytest.mark.parametrize("team", [1, 2])
def test_beyond_the_last_learned_position(team):
    kernels()
    engine = fast_stepper(talkative("transformer-learned", 1, -50.0), "float32")
    with torch_threads(team), pytest.raises(ModelError, match=r"at most 64"):
        decode(engine, make_source(SOURCES), SearchConfig(max_length=70))
    found = decode(engine, make_source(SOURCES), SearchConfig(max_length=63))
    assert [len(outputs[0].tokens) for outputs in found] == [63] * len(SOURCES)


def test_two_searches_at_once():
    kernels()
    engine = fast_stepper(talkative("transformer-relative", 3, 0.0), "float32")
    options = [SearchConfig(beam=beam, max_length=30) for beam in (1, 3, 5)] * 8
    expected = [decode(engine, make_source(SOURCES), one) for one in options[:3]]
    with torch_threads(1), ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda one: decode(engine, make_source(SOURCES), one), options))
    for number, outputs in enumerate(found):
        assert outputs == expected[number % 3]


def test_a_sentence_that_was_not_searched_is_no_empty_output(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kernels()
    model = talkative("lstm-feeding", 1, -5.0)
    stepper = fast_stepper(model, "float32")
    monkeypatch.setattr(Runner, "search", lambda *given, **named: None)
    with pytest.raises(EngineError, match="a search must give each sentence an output"):
        decode(stepper, make_source([[5, 6]]), SearchConfig())
