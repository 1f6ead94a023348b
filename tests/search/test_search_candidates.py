"""Search on a few candidates a row gives what search on full rows gives, where it may be used."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from search_fakes import ProposingStepper, TableState, TableStepper, make_source
from search_reference import reference_beam

from transduce.config import SearchConfig
from transduce.errors import SearchError
from transduce.interfaces import Candidates
from transduce.search import Constraints, Ensemble, Hypothesis, decode
from transduce.search.bookkeeping.history import History

SOURCES = [(4, 5), (6,), (5, 5, 6, 4), (), (4, 6, 5)]


class FullRowsOnly:
    """The same model without ``propose``."""

    def __init__(self, model: TableStepper) -> None:
        self.start, self.step = model.start, model.step


def both(
    model: ProposingStepper, options: SearchConfig, constraints: Constraints | None = None
) -> tuple[list[list[Hypothesis]], list[list[Hypothesis]]]:
    """Outputs from candidates and from full rows."""
    source = make_source(SOURCES)
    proposed = decode(model, source, options, constraints)
    # after a prefix, which is read in full rows, the search may be over
    assert model.counts or (constraints and constraints.prefix), "propose was asked"
    return proposed, decode(FullRowsOnly(model), source, options, constraints)


LENGTHS = st.fixed_dictionaries(
    {},
    optional={
        "min_length": st.integers(0, 4),
        "min_length_ratio": st.sampled_from([0.5, 1.0, 2.0]),
        "max_length_ratio": st.sampled_from([2.0, 2.5]),
        "coverage_penalty": st.just(0.3),
        "length_normalization": st.sampled_from(["none", "average", "gnmt", "power"]),
        "length_alpha": st.sampled_from([0.0, 1.3]),
    },
)


@given(
    values=LENGTHS,
    beam=st.integers(1, 5),
    nbest=st.integers(1, 5),
    max_length=st.integers(4, 8),
    size=st.sampled_from([4, 5, 6, 9, 30]),
    seed=st.integers(0, 50),
    end=st.sampled_from([-4.0, 0.0, 2.0]),
    digits=st.sampled_from([0, 9]),
    prefix=st.booleans(),
)
@settings(max_examples=150, deadline=None)
def test_candidates_give_what_full_rows_give(
    values: dict[str, Any],
    beam: int,
    nbest: int,
    max_length: int,
    size: int,
    seed: int,
    end: float,
    digits: int,
    prefix: bool,
) -> None:
    values = {**values, "beam": beam, "nbest": min(beam, nbest), "max_length": max_length}
    constraints = Constraints(prefix=(4, 4)) if prefix and size > 4 else Constraints()
    model = ProposingStepper(size=size, seed=seed, end=end, digits=digits)
    proposed, expected = both(model, SearchConfig(**values).without_idle(), constraints)
    assert proposed == expected  # tokens, order and every score, to the last bit


def test_candidates_give_what_full_rows_give_in_a_wide_beam() -> None:
    options = SearchConfig(beam=40, nbest=40, max_length=6)
    for digits in (0, 9):
        proposed, expected = both(ProposingStepper(size=120, seed=3, digits=digits), options)
        assert proposed == expected


@pytest.mark.parametrize("beam", [1, 2, 4])
@pytest.mark.parametrize("values", [{}, {"min_length": 3}, {"coverage_penalty": 0.4}])
def test_candidates_give_what_the_slow_beam_gives(beam: int, values: dict[str, Any]) -> None:
    options = SearchConfig(beam=beam, nbest=beam, max_length=7, **values)
    model = ProposingStepper(size=9, seed=1)
    for source, found in zip(SOURCES, both(model, options)[0], strict=True):
        expected = reference_beam(model, source, options, Constraints())
        assert [h.tokens for h in found] == [f.tokens for f in expected]
        assert [h.score for h in found] == pytest.approx([f.score for f in expected], abs=1e-9)


def test_as_many_candidates_are_asked_for_as_are_needed() -> None:
    endless = ProposingStepper(size=30, end=-50.0)
    for values, counts in [
        ({"beam": 4}, [8] * 6),
        ({"beam": 1}, [1] * 6),
        ({"beam": 4, "min_length": 2}, [9, 9, 8, 8, 8, 8]),  # END may have to be left out
        ({"beam": 1, "min_length_ratio": 0.75}, [2, 2, 2, 1, 1, 1]),  # 3 of 4 tokens
    ]:
        endless.counts.clear()
        endless.steps.clear()
        decode(endless, make_source(SOURCES), SearchConfig(max_length=5, **values))
        assert endless.counts == counts
        assert endless.steps == []


def test_a_prefix_is_read_in_one_step_and_the_rest_proposed() -> None:
    model = ProposingStepper(size=30, end=-50.0)
    constraints = Constraints(prefix=(4, 5))
    decode(model, make_source([(4,)]), SearchConfig(beam=3, max_length=5), constraints)
    assert model.steps == [(1, 3)]
    assert model.counts == [6] * 3


@pytest.mark.parametrize(
    ("values", "constraints"),
    [
        ({"no_repeat_ngram": 2}, Constraints()),
        ({"beam": 4, "diverse_groups": 2}, Constraints()),
        ({"sample": True}, Constraints()),
        ({"beam": 2}, Constraints(forbidden=((4, 4),))),
        ({"beam": 2}, Constraints(required=((4,),))),
    ],
)
def test_full_rows_are_read_where_options_need_them(
    values: dict[str, Any], constraints: Constraints
) -> None:
    model = ProposingStepper(size=30)
    decode(model, make_source(SOURCES), SearchConfig(max_length=5, **values), constraints)
    assert model.counts == []
    assert len(model.steps) > 1


def test_an_ensemble_is_read_by_full_rows() -> None:
    members = [ProposingStepper(seed=1), ProposingStepper(seed=2)]
    decode(Ensemble(members), make_source(SOURCES), SearchConfig(beam=2, max_length=4))
    assert [member.counts for member in members] == [[], []]


@pytest.mark.parametrize("beam", [1, 3])
def test_candidates_that_are_not_numbers_are_said(beam: int) -> None:
    class Broken(ProposingStepper):
        def propose(
            self, tokens: torch.Tensor, state: TableState, count: int
        ) -> tuple[Candidates, TableState]:
            found, state = super().propose(tokens, state, count)
            found.log_probs[-1] = torch.nan
            return found, state

    with pytest.raises(SearchError, match="scores of the model must be numbers; got NaN"):
        decode(Broken(), make_source(SOURCES), SearchConfig(beam=beam))


@given(seed=st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_history_gives_back_what_was_written(seed: int) -> None:
    """Against copying every hypothesis at every step."""
    random = np.random.default_rng(seed)
    history, written, expected = History(), [((), ())] * 6, []
    ends = []
    for step in range(int(random.integers(1, 9))):
        row = int(random.integers(len(written)))
        ends.append((step, row))
        expected.append(written[row])
        count = int(random.integers(1, 7))  # as when sentences leave
        origins = random.integers(len(written), size=count)
        tokens, scores = random.integers(4, 99, size=count), random.normal(size=count)
        history.append(tokens, scores, origins)
        written = [
            ((*written[origin][0], token), (*written[origin][1], score))
            for origin, token, score in zip(
                origins.tolist(), tokens.tolist(), scores.tolist(), strict=True
            )
        ]
    order = random.permutation(len(ends)).tolist()
    traced = history.trace([ends[place] for place in order])
    assert [(tuple(t), tuple(s)) for t, s in traced] == [expected[place] for place in order]
