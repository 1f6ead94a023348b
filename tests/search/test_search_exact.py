"""Search against enumeration of all outputs, and against a slow beam written independently."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from search_fakes import ConstantStepper, TableStepper, make_source
from search_reference import Found, enumerate_all, reference_beam

from transduce.config import SearchConfig
from transduce.interfaces import BEGIN, END, PADDING, UNKNOWN
from transduce.search import Constraints, Hypothesis, decode
from transduce.search.choosing.top_k import top

SOURCES = [(4, 5), (6,), (5, 5, 6, 4), (), (4, 6, 5)]


def assert_same(hypotheses: list[Hypothesis], expected: list[Found]) -> None:
    assert [h.tokens for h in hypotheses] == [f.tokens for f in expected]
    for hypothesis, found in zip(hypotheses, expected, strict=True):
        assert hypothesis.finished == found.finished
        assert hypothesis.constraints_met == found.met
        assert hypothesis.score == pytest.approx(found.score, abs=1e-9)
        assert hypothesis.token_scores == pytest.approx(found.token_scores, abs=1e-9)
        assert hypothesis.log_probability == pytest.approx(sum(found.token_scores), abs=1e-9)


OPTIONS: list[tuple[dict[str, Any], Constraints]] = [
    ({"length_normalization": "none"}, Constraints()),
    ({"length_normalization": "average"}, Constraints()),
    ({"length_normalization": "gnmt", "length_alpha": 0.8}, Constraints()),
    ({"length_normalization": "power", "length_alpha": 0.8}, Constraints()),
    ({"coverage_penalty": 0.4}, Constraints()),
    ({"coverage_penalty": 0.3, "length_normalization": "gnmt"}, Constraints(prefix=(4, 4))),
    ({"min_length": 3}, Constraints()),
    ({"min_length_ratio": 0.7, "max_length_ratio": 1.0}, Constraints()),
    ({"no_repeat_ngram": 1}, Constraints()),
    ({"no_repeat_ngram": 2}, Constraints(prefix=(5, 5, 5))),
    ({}, Constraints(prefix=(6, 5))),
    ({}, Constraints(forbidden=((4,), (5, 6)))),
    ({}, Constraints(forbidden=((4, 4, 5), (4, 5), (6, 6)))),
    ({}, Constraints(required=((5, 5, 6),))),
    ({}, Constraints(required=((4,), (6, 4)), prefix=(5,))),
    ({"length_normalization": "none"}, Constraints(required=((6, 6),), forbidden=((4,),))),
]


@pytest.mark.parametrize(("values", "constraints"), OPTIONS)
def test_a_wide_beam_finds_what_enumeration_finds(
    values: dict[str, Any], constraints: Constraints
) -> None:
    options = SearchConfig(**{"beam": 400, "nbest": 12, "max_length": 4, **values})
    model = TableStepper(size=7, seed=3)
    results = decode(model, make_source(SOURCES), options, constraints)
    for source, hypotheses in zip(SOURCES, results, strict=True):
        assert_same(hypotheses, enumerate_all(model, source, options, constraints)[:12])


NARROW: list[tuple[dict[str, Any], Constraints]] = [
    *OPTIONS,
    ({"diverse_groups": 2, "beam": 4, "diversity": 0.8}, Constraints()),
    ({"diverse_groups": 3, "beam": 3, "diversity": 2.0}, Constraints()),
    ({"diverse_groups": 2, "beam": 6, "diversity": 0.0}, Constraints(required=((4, 5),))),
    ({"diverse_groups": 2, "beam": 6, "diversity": 0.5}, Constraints(required=((4,), (5, 6)))),
]


@pytest.mark.parametrize(("values", "constraints"), NARROW)
@pytest.mark.parametrize(("beam", "nbest"), [(1, 1), (2, 1), (3, 3), (5, 2)])
def test_a_beam_equals_the_slow_one(
    values: dict[str, Any], constraints: Constraints, beam: int, nbest: int
) -> None:
    values = {"beam": beam, "nbest": nbest, "max_length": 7, **values}
    options = SearchConfig(**{**values, "nbest": min(nbest, values["beam"])})
    for seed, end in [(0, 0.0), (1, 1.5), (2, -2.0)]:
        model = TableStepper(size=9, seed=seed, spread=1.5, end=end)
        results = decode(model, make_source(SOURCES), options, constraints)
        for source, hypotheses in zip(SOURCES, results, strict=True):
            assert_same(hypotheses, reference_beam(model, source, options, constraints))


def test_greedy_takes_the_likeliest_token_at_each_step() -> None:
    model = TableStepper(size=12, seed=5, end=-1.0)
    results = decode(model, make_source(SOURCES), SearchConfig(beam=1, max_length=9))
    endings = set()
    for source, (hypothesis,) in zip(SOURCES, results, strict=True):
        tokens: tuple[int, ...] = ()
        while True:
            table = model.log_probs(source, tokens)
            table[[PADDING, UNKNOWN, BEGIN]] = -np.inf
            token = int(table.argmax())
            if token == END or len(tokens) == 9:
                break
            tokens = (*tokens, token)
        assert hypothesis.tokens == tokens
        assert hypothesis.finished == (token == END)
        endings.add(hypothesis.finished)
    assert endings == {True, False}  # both ways to end were seen


def test_a_wider_beam_finds_what_greedy_misses() -> None:
    # After 4 nothing is likely; after 5 END is sure.
    flat, sure = [0, 0, 0, 0, 0, 0, 0], [-99, -99, -99, 9, -99, -99, -99]
    model = TableStepper(fixed={(): [-99, -99, -99, -99, 1.0, 0.9, -99], (4,): flat, (5,): sure})
    options = {"max_length": 3, "length_normalization": "none"}
    source = make_source([(4,)])
    assert decode(model, source, SearchConfig(beam=1, **options))[0][0].tokens[0] == 4
    assert decode(model, source, SearchConfig(beam=2, **options))[0][0].tokens == (5,)


def test_a_beam_stops_when_no_open_hypothesis_can_come_in() -> None:
    # END at once has 0.97; all others together cannot reach it, however long.
    logits = np.log([0.001, 0.001, 0.001, 0.97, 0.02, 0.004, 0.003])
    model = ConstantStepper(logits)
    options = SearchConfig(beam=4, nbest=1, max_length=50, length_normalization="none")
    ((best,),) = decode(model, make_source([(4,)]), options)
    assert best.tokens == ()
    assert len(model.steps) == 1


@pytest.mark.parametrize("beam", [2, 3, 5])
@pytest.mark.parametrize("normalization", ["none", "average", "gnmt"])
def test_outputs_that_ended_too_early_do_not_close_a_beam(beam: int, normalization: str) -> None:
    # 4 is nearly sure for six steps, as of a model trained with label smoothing; END is always
    # second, so that W outputs have ended long before the right one.
    sure = np.log([1e-9, 1e-9, 1e-9, 0.004, 0.99, 0.003, 0.003])
    last = np.log([1e-9, 1e-9, 1e-9, 0.99, 0.004, 0.003, 0.003])
    model = TableStepper(fixed={(4,) * n: (sure if n < 6 else last) for n in range(7)})
    options = SearchConfig(beam=beam, max_length=20, length_normalization=normalization)
    ((best,),) = decode(model, make_source([(4,)]), options)
    assert best.tokens == (4,) * 6
    assert len(model.steps) < 12  # and then it does close


def test_equal_scores_go_to_the_smaller_token_and_the_better_parent() -> None:
    logits = [0.0] * 8
    options = SearchConfig(beam=3, nbest=3, max_length=2, min_length=2)
    (hypotheses,) = decode(ConstantStepper(logits), make_source([(4,)]), options)
    assert [h.tokens for h in hypotheses] == [(4, 4), (4, 5), (4, 6)]


@pytest.mark.parametrize("size", [5, 40, 5000])
@pytest.mark.parametrize("count", [1, 2, 7, 40])
def test_top_equals_a_stable_sort(size: int, count: int) -> None:
    random = torch.Generator().manual_seed(size + count)
    for levels in (3, 50, 10**6):  # few levels: many ties
        values = torch.randint(levels, (6, size), generator=random).double()
        values[1] = -torch.inf
        values[2, : size // 2] = -torch.inf
        found, places = top(values, count)
        expected = values.sort(dim=1, descending=True, stable=True)
        count = min(count, size)
        assert torch.equal(found, expected.values[:, :count])
        finite = found > -torch.inf  # among impossible candidates the order means nothing
        assert torch.equal(places[finite], expected.indices[:, :count][finite])
        assert bool((values.gather(1, places) == found).all())
