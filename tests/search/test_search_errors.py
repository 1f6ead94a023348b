"""Options that contradict each other are refused, and the message says what to change."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from search_fakes import ConstantStepper, TableStepper, make_source

from transduce.config import SearchConfig
from transduce.errors import SearchError
from transduce.search import Constraints, decode

REFUSED: list[tuple[dict[str, Any], Constraints | None, str]] = [
    ({"min_length": 9, "max_length": 4}, None, "min_length must be at most max_length (4); got 9"),
    (
        {"min_length_ratio": 2.0, "max_length_ratio": 1.5},
        None,
        "min_length_ratio must be at most max_length_ratio (1.5); got 2.0",
    ),
    ({"top_k": 3}, None, "sample must be true for temperature, top_k or top_p"),
    ({"top_p": 0.3}, None, "sample must be true for temperature, top_k or top_p"),
    ({"temperature": 0.3}, None, "sample must be true for temperature, top_k or top_p"),
    ({"prefix": "a"}, None, "must be encoded into Constraints"),
    ({"required": ("a",)}, None, "must be encoded into Constraints"),
    ({"forbidden": ("a",)}, None, "must be encoded into Constraints"),
    (
        {"max_length": 2},
        Constraints(prefix=(4, 5, 6)),
        "prefix must have at most max_length (2) tokens; got 3",
    ),
    (
        {"max_length": 2},
        Constraints(required=((4,), (4, 5, 6))),
        "required phrase must have at most max_length (2) tokens; got 3",
    ),
    (
        {},
        Constraints(required=((4, 5, 6),), forbidden=((5, 6),)),
        "required phrase must not hold a forbidden phrase; got (4, 5, 6), forbidden (5, 6)",
    ),
    (
        {},
        Constraints(prefix=(4, 5, 6), forbidden=((4,),)),
        "prefix must not hold a forbidden phrase; got (4, 5, 6), forbidden (4,)",
    ),
    (
        {},
        Constraints(forbidden=tuple(tuple(range(9 + 300 * n, 309 + 300 * n)) for n in range(300))),
        "forbidden phrases must be fewer or shorter: their number times the tokens of the longest "
        "times their distinct tokens must be at most 16,777,216; got 8,127,090,300",
    ),
    ({}, Constraints(forbidden=((),)), "forbidden phrase must have at least one token"),
    ({}, Constraints(required=((),)), "required phrase must have at least one token"),
    ({}, Constraints(prefix=(4, 3)), "prefix must hold only tokens a model writes; got (4, 3)"),
    ({}, Constraints(required=((1,),)), "required phrase must hold only tokens a model writes"),
    ({}, Constraints(forbidden=((-4,),)), "forbidden phrase must hold only tokens a model writes"),
    (
        {},
        Constraints(required=((4, 7),)),
        "constraints must hold tokens below the vocabulary's size (7); got 7",
    ),
    (
        {"no_repeat_ngram": 2},
        Constraints(required=((4, 5, 4, 5),)),
        "required phrase must not repeat 2 tokens when no_repeat_ngram is 2; got (4, 5, 4, 5)",
    ),
    (
        {"sample": True},
        Constraints(required=((4,),)),
        "required must be empty when sample is true; use beam search",
    ),
]


@pytest.mark.parametrize(("values", "constraints", "message"), REFUSED)
def test_refused(values: dict[str, Any], constraints: Constraints | None, message: str) -> None:
    with pytest.raises(SearchError, match=re.escape(message)):
        decode(TableStepper(), make_source([(4,)]), SearchConfig(**values), constraints)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"beam": 2, "nbest": 3}, "nbest must be at most beam (2); got 3"),
        ({"beam": 3, "diverse_groups": 2}, "beam must be a multiple of diverse_groups (2); got 3"),
        ({"beam": 2, "sample": True}, "beam must be 1 when sample is true; got 2"),
    ],
)
def test_refused_also_where_the_config_did_not_look(values: dict[str, Any], message: str) -> None:
    options = SearchConfig().model_copy(update=values)  # pydantic does not check a copy
    with pytest.raises(SearchError, match=re.escape(message)):
        decode(TableStepper(), make_source([(4,)]), options)


def test_one_hypothesis_at_a_time_is_never_refused() -> None:
    options = SearchConfig(beam=4, nbest=3, diverse_groups=2).greedily()
    assert (options.beam, options.nbest, options.diverse_groups) == (1, 1, 1)
    assert len(decode(TableStepper(), make_source([(4,)]), options)[0]) == 1


def test_coverage_needs_attention() -> None:
    model = TableStepper(attention=False)
    with pytest.raises(SearchError, match="coverage_penalty must be 0 for a model without atten"):
        decode(model, make_source([(4,)]), SearchConfig(coverage_penalty=0.2))


@pytest.mark.parametrize("values", [{}, {"beam": 3}, {"sample": True}])
def test_scores_that_are_not_numbers_are_said(values: dict[str, Any]) -> None:
    model = ConstantStepper([np.nan] * 6)
    with pytest.raises(SearchError, match="scores of the model must be numbers; got NaN"):
        decode(model, make_source([(4,)]), SearchConfig(**values))


def test_sentence_numbers_must_fit() -> None:
    with pytest.raises(SearchError, match="sentence_numbers must have 1 entries; got 2"):
        decode(TableStepper(), make_source([(4,)]), SearchConfig(), sentence_numbers=[0, 1])
