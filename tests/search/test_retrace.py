"""A second reading of outputs, against tables in double precision and what the search said."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from search_fakes import TableStepper, make_source

from transduce.config import SearchConfig
from transduce.interfaces import END
from transduce.search import Constraints, Hypothesis, Retraced, Retracing, decode, decode_all
from transduce.search import retrace as module

SOURCES = [[4, 5, 6], [7], [], [5, 4, 4, 7, 6]]
KINDS: list[dict[str, Any]] = [
    {},
    {"beam": 4, "nbest": 3},
    {"beam": 4, "nbest": 4, "diverse_groups": 2, "coverage_penalty": 0.2},
    {"sample": True, "nbest": 3},
    {"beam": 3, "no_repeat_ngram": 1},
]


def read(hypothesis: Hypothesis) -> Retraced:
    assert hypothesis.retraced is not None
    return hypothesis.retraced


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("room", [1 << 22, 1])  # all tokens in one step, or each in its own
def test_each_token_against_the_table(
    kind: dict[str, Any], room: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_ROOM", room)
    model, options = TableStepper(size=9), SearchConfig(max_length=6, **kind)
    asked = Retracing(count=3, attention=True, best_only=False)
    plain = list(decode_all(model, SOURCES, options))
    found = list(decode_all(model, SOURCES, options, retracing=asked))
    assert found == plain  # retraced is not compared
    for source, outputs in zip(SOURCES, found, strict=True):
        for output in outputs:
            own, tokens = read(output), [*output.tokens, END]
            tables = np.stack([model.log_probs(source, tokens[:n]) for n in range(len(tokens))])
            order = np.argsort(-tables, axis=1, kind="stable")[:, :3]
            wanted = tables[np.arange(len(tokens)), tokens]
            assert own.log_probs == pytest.approx(wanted, abs=1e-5)
            scored = np.array(output.token_scores)
            assert own.log_probs[: len(scored)] == pytest.approx(scored, abs=1e-5)
            assert own.entropies == pytest.approx(-(np.exp(tables) * tables).sum(1), abs=1e-5)
            assert own.best_tokens.tolist() == order.tolist()
            assert own.best_log_probs == pytest.approx(
                np.take_along_axis(tables, order, 1), abs=1e-5
            )
            others = np.where(np.arange(9) == np.array(tokens)[:, None], -np.inf, tables)
            assert own.margins == pytest.approx(wanted - others.max(1), abs=1e-5)
            looked = [model.entry((*source, END), tuple(tokens[:n]))[1] for n in range(len(tokens))]
            assert own.attention == pytest.approx(np.stack(looked), abs=1e-6)


def test_of_the_best_alone() -> None:
    options = SearchConfig(beam=4, nbest=4, max_length=5)
    asked = Retracing()
    for outputs in decode_all(TableStepper(size=9), SOURCES, options, retracing=asked):
        assert read(outputs[0]).attention is None
        assert read(outputs[0]).best_tokens.shape == (len(outputs[0].tokens) + 1, 2)
        assert all(output.retraced is None for output in outputs[1:])


def test_an_end_that_is_another_token_is_the_last() -> None:
    hypothesis = Hypothesis((5, 8), -2.0, -2.0, (-1.0, -1.0), finished=True)
    source = make_source([[4]])
    ((found,),) = module.retrace(TableStepper(size=9), source, [[hypothesis]], Retracing())
    assert len(read(found).log_probs) == 2


def test_nothing_is_read_twice_where_nobody_asks() -> None:
    model, options = TableStepper(size=9), SearchConfig(max_length=5)
    decode(model, make_source(SOURCES), options)
    steps = len(model.steps)
    list(decode_all(model, SOURCES, options, Constraints()))
    assert len(model.steps) == 2 * steps


def test_sentences_whose_outputs_are_all_alike_are_read_with_their_own_sources() -> None:
    """Of two the second is the shorter: they are read together, and not exchanged."""
    model, sources = TableStepper(size=9), [[4, 5, 6], [7, 5]]
    outputs = [
        [Hypothesis((6, 5, 4), 0.0, 0.0, (), False)],
        [Hypothesis((7, 5), 0.0, 0.0, (), False)],
    ]
    asked = Retracing(attention=True)
    found = module.retrace(model, make_source(sources), outputs, asked)
    for source, [output] in zip(sources, found, strict=True):
        tokens = [*output.tokens, END]
        wanted = [model.log_probs(source, tokens[:n])[token] for n, token in enumerate(tokens)]
        assert read(output).log_probs == pytest.approx(np.array(wanted), abs=1e-5)
        assert read(output).attention is not None
        assert read(output).attention.shape == (len(tokens), len(source) + 1)  # type: ignore[union-attr]
