"""Beams and other options of search, tried on a trained model: nothing is trained anew."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from transduce.config import Config, SearchConfig
from transduce.errors import ConfigError, SearchError
from transduce.evaluation.by_part import means
from transduce.metrics.known import METRICS, best_known
from transduce.reading.pair_files import Example
from transduce.tuning.space.tuned_values import TunedOption
from transduce.workflow.evaluate import metric_names, score_outputs
from transduce.workflow.trained import TrainedModel

__all__ = ["Examples", "SearchTrial", "search_values", "text_metric", "tune_search"]

Examples = Mapping[str, Sequence[Example]]  # by the part of a mixture; "" where there are none


@dataclass(frozen=True)
class SearchTrial:
    """The places of the options' values, and the score on dev."""

    places: tuple[int, ...]
    score: float


def search_values(options: Sequence[TunedOption], places: Sequence[int]) -> dict[str, Any]:
    """What ``Config.searching`` is told where each option has the value at its place."""
    return {
        key.removeprefix("search."): value
        for option, place in zip(options, places, strict=True)
        for key, value in option.values[place].given.items()
    }


def text_metric(config: Config) -> str:
    """The metric that outputs are scored by: the recipe's, or one in the place of a loss."""
    if not METRICS[config.training.metric].needs_model:
        return config.training.metric
    names = [name for name in metric_names(config) if not METRICS[name].needs_model]
    return best_known(names) or names[0]


def tune_search(
    trained: TrainedModel,
    examples: Examples,
    options: Sequence[TunedOption],
    seconds: float,
    say: Callable[[str], None],
) -> list[SearchTrial]:
    """Each option in turn, the others as they were best; the last of the list is the winner.

    The recipe's own values come first, and stay unless others are better. No search begins that
    would take longer than what is left of ``seconds``.
    """
    metric = text_metric(trained.config)
    end = time.monotonic() + seconds
    tried: dict[tuple[int, ...], float] = {}
    longest = 0.0

    def score(places: tuple[int, ...]) -> float:
        nonlocal longest
        if places not in tried:
            if tried and time.monotonic() + longest > end:
                return math.nan
            began = time.monotonic()
            search = _search(trained.config, options, places)
            tried[places] = (
                math.nan if search is None else _score(trained, examples, search, metric)
            )
            longest = max(longest, time.monotonic() - began)
        return tried[places]

    best = tuple(option.own for option in options)
    score(best)  # before all others, if there is time for one alone
    for number, option in enumerate(options):
        for place in range(len(option.values)):
            other = (*best[:number], place, *best[number + 1 :])
            if _is_better(score(other), score(best), metric):
                best = other
    say(f"search: {len(tried)} ways scored on dev with the best model")
    trials = [SearchTrial(p, s) for p, s in tried.items() if p != best and not math.isnan(s)]
    return [*trials, SearchTrial(best, tried.get(best, math.nan))]


def _is_better(score: float, other: float, metric: str) -> bool:
    if math.isnan(score):
        return False
    better = score < other if METRICS[metric].lower_is_better else score > other
    return better or math.isnan(other)


def _search(
    config: Config, options: Sequence[TunedOption], places: Sequence[int]
) -> SearchConfig | None:
    """None where the values contradict each other."""
    try:
        search = config.searching(search_values(options, places))
    except (ConfigError, SearchError):
        return None
    return None if search.refusal() is not None else search


def _score(trained: TrainedModel, examples: Examples, search: SearchConfig, metric: str) -> float:
    search = search.model_copy(update={"nbest": 1})
    scores = {}
    for part, own in examples.items():
        sources = [example.source for example in own]
        found = trained.predict(sources, search, part=part or None, keep_going=True)
        outputs = [outputs[0] for outputs in found]
        config = trained.config.for_part(part)
        scores[part] = score_outputs(config, own, outputs, [metric]).values
    return means(scores)[metric]
