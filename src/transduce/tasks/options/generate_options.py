"""Options of ``generate`` as a search of ours and rules for its outputs."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from transduce.config import SearchConfig
from transduce.errors import ConfigError
from transduce.pretrained.checkpoint.generation import OF_DRAWS, to_search
from transduce.search.rules.adjustments import Adjustments
from transduce.tasks.options.token_rules import adjustments, output_rules, unending
from transduce.tasks.token_numbers import TokenNumbers
from transduce.workflow.predicting.output_rules import NO_RULES, OutputRules
from transduce.workflow.trained import TrainedModel

__all__ = ["Wanted", "wanted_search"]

_EARLY = {"generate": False, "generate-early": True, "generate-never": "never"}
_LENGTHS = ("max_length", "max_new_tokens", "min_length", "min_new_tokens")
# What prompts are answered with in the pipeline of transformers unless somebody says otherwise.
_OF_PROMPTS = {"do_sample": True, "temperature": 0.7}


@dataclass(frozen=True)
class Wanted:
    """``search`` and ``rules`` of a call. ``stop_strings`` end a text. ``most`` and ``least``
    count tokens of a prompt and its output together, None where only those of the output count.
    """

    search: SearchConfig
    rules: OutputRules = NO_RULES
    stop_strings: tuple[str, ...] = ()
    most: int | None = None
    least: int | None = None


def wanted_search(
    model: TrainedModel, asked: Mapping[str, Any], defaults: Mapping[str, Any], part: str
) -> Wanted:
    """The search of a call; ``defaults`` are those of a task. Raises ConfigError."""
    own, options = model.config.search, {**defaults, **asked}
    if model.goes_on and not own.sample and own.beam == 1:
        options = {**_OF_PROMPTS, **options}
    settings = _own_settings(own, options)
    if model.goes_on:  # the prompt counts, and the decoder has no first token of its own
        options = _of_prompts(options)
    settings |= {name: options[name] for name in options if name in settings or name in _KNOWN}
    _refuse_odd(settings)
    changed = {"sample": False, **to_search(settings)}
    if not changed["sample"] and (idle := sorted(asked.keys() & set(OF_DRAWS))):
        # what transformers does, whose scripts run here unchanged
        logging.getLogger("transduce").warning("%s does nothing without do_sample", idle[0])
    if own.stopping == "bound" and not options.keys() & {"length_penalty", "early_stopping"}:
        for name in ("length_normalization", "length_alpha", "stopping", "forced_end"):
            changed[name] = getattr(own, name)
    if options.get("forced_eos_token_id") is not None and not changed["sample"]:
        changed |= {"forced_end": True}
        changed["stopping"] = "generate" if own.stopping == "bound" else changed["stopping"]
    changed |= _groups(options, changed)
    numbers = TokenNumbers(model, part)
    rules = output_rules(numbers, options)
    if unending(numbers, options):
        changed["min_length"] = changed["max_length"]
    if changed.get("min_length", 0) > changed["max_length"]:
        logging.getLogger("transduce").warning(
            "min_length must be at most max_length (%s); got %s, which counts as that",
            *(changed["max_length"], changed["min_length"]),
        )
        changed["min_length"] = changed["max_length"]
    search = model.config.searching(changed)
    found = adjustments(numbers, model, options, search)
    rules = rules if found == Adjustments() else replace(rules, adjustments=found)
    stops = options.get("stop_strings", ())
    return Wanted(
        search,
        NO_RULES if rules == NO_RULES else rules,
        _stop_strings(stops, search),
        options.get("prompt and output"),
        options.get("least of both"),
    )


_KNOWN = {*_LENGTHS, *OF_DRAWS, "num_beams", "num_return_sequences", "do_sample"}
_KNOWN |= {"length_penalty", "early_stopping", "no_repeat_ngram_size", "repetition_penalty"}


def _own_settings(own: SearchConfig, options: Mapping[str, Any]) -> dict[str, Any]:
    """What the model's own search section says, as ``generate`` would be told it."""
    settings: dict[str, Any] = {
        "num_beams": own.sample_beam if own.sample else own.beam,
        "num_return_sequences": 1,
        "forced_eos_token_id": 0 if own.forced_end else None,
        "length_penalty": own.length_alpha if own.length_normalization == "power" else 1.0,
        "early_stopping": _EARLY.get(own.stopping, False),
        "no_repeat_ngram_size": own.no_repeat_ngram,
        "repetition_penalty": own.repetition_penalty,
        "min_new_tokens": own.min_length,
        "max_new_tokens": own.max_length + own.forced_end,
        "do_sample": own.sample,
        **({name: getattr(own, name) for name in OF_DRAWS} if own.sample else {}),
    }
    for length in ("max", "min"):  # a length asked for counts alone
        if options.get(f"{length}_length") is not None:
            del settings[f"{length}_new_tokens"]
    return settings


def _of_prompts(options: Mapping[str, Any]) -> dict[str, Any]:
    """Lengths that count the prompt, put aside: each prompt has its own."""
    left = dict(options)
    most, least = left.pop("max_length", None), left.pop("min_length", None)
    if most is not None and left.get("max_new_tokens") is None:
        left["prompt and output"] = _whole("max_length", most)
        left["max_new_tokens"] = left["prompt and output"]
    if least is not None and left.get("min_new_tokens") is None:
        left["least of both"] = _whole("min_length", least)
    return left


def _groups(options: Mapping[str, Any], changed: Mapping[str, Any]) -> dict[str, Any]:
    """Diverse beam search, whose groups stop by a rule of ours."""
    groups = options.get("num_beam_groups", 1)
    penalty = options.get("diversity_penalty", 0.0)
    if groups == 1:
        if penalty:
            raise ConfigError("num_beam_groups must be at least 2 for a diversity_penalty; got 1")
        return {}
    if changed["sample"]:
        raise ConfigError(f"num_beam_groups must be 1 where do_sample is true; got {groups}")
    if not penalty:
        raise ConfigError(f"diversity_penalty must be above 0 for groups of beams; got {penalty}")
    bound = {"stopping": "bound", "forced_end": False}
    return {"diverse_groups": groups, "diversity": penalty, **bound}


def _refuse_odd(settings: Mapping[str, Any]) -> None:
    """Numbers that no search has. Raises ConfigError, as theirs raises ValueError."""
    for name in ("num_beams", "num_return_sequences"):
        if (value := _whole(name, settings[name])) < 1:
            raise ConfigError(f"{name} must be at least 1; got {value}")
    for name, least in (("max_length", 2), ("max_new_tokens", 1)):
        length = settings.get(name)
        counts = name == "max_new_tokens" or settings.get("max_new_tokens") is None
        if length is not None and counts and _whole(name, length) < least:
            raise ConfigError(f"{name} must be at least {least}, room for a token; got {length}")
    for name in ("min_length", "min_new_tokens", "no_repeat_ngram_size"):
        length = settings.get(name)
        if length is not None and _whole(name, length) < 0:
            raise ConfigError(f"{name} must be at least 0; got {length}")
    draws = 1 if not settings["do_sample"] else settings["num_return_sequences"]
    beam, wanted = settings["num_beams"], settings["num_return_sequences"]
    if wanted > max(beam, draws if beam == 1 else 1):
        raise ConfigError(
            f"num_return_sequences must be at most num_beams ({beam}) unless do_sample is true; "
            f"got {wanted}"
        )


def _whole(name: str, value: object) -> int:
    if type(value) is not int:
        raise ConfigError(f"{name} must be a whole number; got {str(value)[:40]}")
    return value


def _stop_strings(given: object, search: SearchConfig) -> tuple[str, ...]:
    texts = (given,) if isinstance(given, str) else given
    if not isinstance(texts, list | tuple) or not all(isinstance(t, str) and t for t in texts):
        raise ConfigError(f"stop_strings must be a text or a list of them; got {str(given)[:40]}")
    if texts and search.lanes[1] > 1:
        raise ConfigError(
            "stop_strings must be left out of a beam, which ranks whole outputs; "
            f"got a beam of {search.lanes[1]}"
        )
    return tuple(texts)
