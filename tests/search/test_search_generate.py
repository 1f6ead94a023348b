"""Searches that stop as ``generate`` of transformers does, on tables of probabilities.

Beside transformers itself they are tested in tests/pretrained.
"""

from __future__ import annotations

import math

import pytest
from pydantic import ValidationError
from search_fakes import TableStepper, make_source

from transduce.config import SearchConfig
from transduce.search import Constraints, Hypothesis, decode

SOURCES = [(4, 5, 6), (7,), (5, 5)]
STOPPINGS = ["generate", "generate-early", "generate-never"]


def found(stepper: TableStepper, constraints: Constraints | None = None, **options) -> list:
    options = {"beam": 3, "nbest": 3, "max_length": 5, "length_normalization": "power",
               "length_alpha": 1.0, **options}  # fmt: skip
    return decode(stepper, make_source(SOURCES), SearchConfig(**options), constraints)


def scored(hypothesis: Hypothesis, alpha: float) -> float:
    return hypothesis.log_probability / len(hypothesis.token_scores) ** alpha


@pytest.mark.parametrize("stopping", STOPPINGS)
@pytest.mark.parametrize("alpha", [-0.5, 0.0, 0.7, 2.0])
def test_scores_are_divided_by_a_power_of_the_length(stopping, alpha):
    for outputs in found(TableStepper(seed=3), stopping=stopping, length_alpha=alpha):
        scores = [output.score for output in outputs]
        assert scores == pytest.approx([scored(output, alpha) for output in outputs])
        assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize("stopping", STOPPINGS)
def test_what_reaches_the_maximum_ranks_among_the_others(stopping):
    """A table that hardly ever ends: outputs are cut at the maximum, none ends after it."""
    for outputs in found(TableStepper(seed=3, end=-4.0), stopping=stopping):
        assert len(outputs) == 3
        cut = [output for output in outputs if not output.finished]
        assert cut
        assert all(len(output.tokens) == 5 for output in cut)
        assert all(len(output.tokens) < 5 for output in outputs if output.finished)


@pytest.mark.parametrize("stopping", STOPPINGS)
def test_a_forced_end_costs_nothing(stopping):
    for outputs in found(TableStepper(seed=3, end=-4.0), stopping=stopping, forced_end=True):
        assert all(output.finished for output in outputs)
        longest = [output for output in outputs if len(output.tokens) == 5]
        assert longest
        for output in longest:
            assert output.token_scores[-1] == 0
            assert output.score == pytest.approx(math.fsum(output.token_scores[:-1]) / 6)


def test_early_is_no_later_than_never():
    """Each way stops when it has three outputs, in this order; so the later one's are as good."""
    table = TableStepper(seed=5, end=1.0)
    worst = {
        stopping: [outputs[-1].score for outputs in found(table, stopping=stopping, max_length=9)]
        for stopping in STOPPINGS
    }
    for early, usual, never in zip(*(worst[stopping] for stopping in ("generate-early", "generate",
                                                                     "generate-never")),
                                   strict=True):  # fmt: skip
        assert early <= usual + 1e-6
        assert usual <= never + 1e-6


def test_the_first_tokens_of_a_prefix_can_be_free():
    table = TableStepper(seed=3)
    paid = found(table, Constraints(prefix=(4, 5)), stopping="generate")
    free = found(table, Constraints(prefix=(4, 5), free=1), stopping="generate")
    for before, after in zip(paid, free, strict=True):
        assert after[0].tokens[:2] == (4, 5)
        assert after[0].token_scores[0] == 0
        assert after[0].token_scores[1] == pytest.approx(before[0].token_scores[1])
        assert after[0].score == pytest.approx(scored(after[0], 1.0))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"forced_end": True}, "stopping must be generate where forced_end is true; got bound"),
        ({"length_alpha": -1.0}, "length_alpha must be at least 0 where stopping is bound"),
        (
            {"stopping": "generate", "beam": 4, "diverse_groups": 2},
            "stopping must be bound with diverse_groups; got generate",
        ),
    ],
)
def test_what_does_not_go_together_is_named(options, message):
    with pytest.raises(ValidationError, match=message):
        SearchConfig(**options)
