"""Searches that a model makes by itself, from the first step to the last."""

from __future__ import annotations

from typing import Any

from transduce.config import SearchConfig
from transduce.interfaces import BeamPlan, Ended, Source, Stepper
from transduce.kernels.running.beam_plans import beam_plan
from transduce.search.demands import as_searcher, asks_steps
from transduce.search.hypothesis import Hypothesis
from transduce.search.rules.constraints import Constraints
from transduce.search.rules.lengths import all_limits

__all__ = ["planned"]


def planned(
    stepper: Stepper[Any],
    source: Source,
    options: SearchConfig,
    constraints: Constraints,
    state: Any = None,
) -> list[list[Hypothesis]] | None:
    """The outputs of ``stepper.search``; None where it has none (``Searcher``), where the options
    need steps (``SearchOption.takes``), and where the stepper passes. ``state`` as for ``decode``.

    Raises SearchError where the model's scores are not numbers.
    """
    if asks_steps(options, constraints):
        return None
    searcher = as_searcher(stepper)
    if searcher is None:
        return None
    ended = searcher.search(source, _plan(source, options, constraints), state)
    if ended is None:
        return None
    return [[_hypothesis(output) for output in outputs] for outputs in ended]


def _plan(source: Source, options: SearchConfig, constraints: Constraints) -> BeamPlan:
    prefix = constraints.prefix
    return beam_plan(
        all_limits(source, options, len(prefix)),
        options,
        prefix=prefix,
        free=constraints.free,
        banned_first=constraints.banned_first,
    )


def _hypothesis(output: Ended) -> Hypothesis:
    scores = output.token_scores
    return Hypothesis(output.tokens, output.score, sum(scores), scores, output.finished)
