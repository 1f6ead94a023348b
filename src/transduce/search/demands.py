"""What a search asks of a model, and what a model can do beyond the least."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, cast

from transduce.config import SearchConfig
from transduce.config.search import SEARCH_OPTIONS
from transduce.interfaces import Enumerated, Listener, Proposer, Searcher, Stepper
from transduce.search.rules.constraints import Constraints

__all__ = [
    "as_listener",
    "as_proposer",
    "as_searcher",
    "asks_attention",
    "asks_logits",
    "asks_rows",
    "asks_steps",
    "known_symbols",
]

_TEXTS = {"prefix", "forbidden", "required"}  # which constraints hold, a model's own among them
_OPTIONS = {name: SEARCH_OPTIONS[name] for name in SearchConfig.model_fields if name not in _TEXTS}
_ROWS = [name for name, option in _OPTIONS.items() if option.takes == "rows"]
_STEPS = [name for name, option in _OPTIONS.items() if option.takes != "plan"]
_ATTENTION = [name for name, option in _OPTIONS.items() if option.attention]


def asks_rows(options: SearchConfig, constraints: Constraints) -> bool:
    """Whether candidates do not do: the log-probabilities of all tokens are needed."""
    return constraints.asks_rows() or any(map(options.is_set, _ROWS))


def asks_steps(options: SearchConfig, constraints: Constraints) -> bool:
    """Whether a ``BeamPlan`` cannot say it all: search itself goes step by step."""
    return constraints.asks_rows() or any(map(options.is_set, _STEPS))


def asks_logits(options: SearchConfig, constraints: Constraints) -> bool:
    """Whether scores are changed before they are made probabilities, as in ``generate``: where one
    hypothesis goes on at a time and no second output has a share in them.
    """
    changed = constraints.adjustments.changes_scores() or options.is_set("repetition_penalty")
    return changed and options.lanes[1] == options.beam == 1 and not options.ctc_weight


def asks_attention(options: SearchConfig) -> bool:
    """Whether the model must keep its weights over the source."""
    return any(map(options.is_set, _ATTENTION))


def as_searcher(stepper: Stepper[Any]) -> Searcher[Any] | None:
    """The stepper, where it makes whole searches."""
    return cast(Searcher[Any], stepper) if _is(stepper, Searcher) else None


def as_proposer(stepper: Stepper[Any]) -> Proposer[Any] | None:
    """The stepper, where it gives candidates."""
    return cast(Proposer[Any], stepper) if _is(stepper, Proposer) else None


def as_listener(stepper: Stepper[Any]) -> Listener[Any] | None:
    """The stepper, where it may have a second output."""
    return cast(Listener[Any], stepper) if _is(stepper, Listener) else None


def known_symbols(stepper: Stepper[Any]) -> int | None:
    """How many symbols the stepper knows; None where it does not say."""
    return stepper.vocabulary if isinstance(stepper, Enumerated) else None


def _is(stepper: Stepper[Any], ability: Any) -> bool:
    # isinstance of a protocol takes 12 µs, which the steps of a small model feel.
    return _class_is(type(stepper), ability) or isinstance(stepper, ability)


@lru_cache(maxsize=256)
def _class_is(kind: type, ability: Any) -> bool:
    return issubclass(kind, ability)
