"""What a checkpoint says of how its outputs are searched, in our words."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transduce.errors import ConfigError, ModelError, naming
from transduce.pretrained.checkpoint.published_checkpoint import PublishedCheckpoint

__all__ = [
    "LONGEST",
    "generation_settings",
    "pass_over",
    "search_options",
    "symbol_numbers",
    "to_search",
]

LONGEST = 256  # tokens of an output where the checkpoint says nothing

_TOP_K = 50
_LIKELIEST = 1e-12  # a share that the likeliest token alone has

# Generation options that change what is written and have no counterpart here, with the
# values that say nothing.
_FOREIGN: dict[str, tuple[object, ...]] = {
    "encoder_no_repeat_ngram_size": (0,),
    "encoder_repetition_penalty": (1, 1.0),
    "num_beam_groups": (1,),
    "penalty_alpha": (0, 0.0),
    "exponential_decay_length_penalty": (),
    "sequence_bias": (),
    "guidance_scale": (1, 1.0),
}


def symbol_numbers(folder: Path, name: str, given: object) -> tuple[int, ...]:
    """An option that must be a list of symbols' numbers, where it is not missing.

    Raises ModelError for anything else.
    """
    numbers = [] if given is None else given
    if not isinstance(numbers, list) or any(type(number) is not int for number in numbers):
        raise ModelError(f"{folder}: {name} must be a list of symbols' numbers")
    return tuple(numbers)


def generation_settings(checkpoint: PublishedCheckpoint, task: str | None = None) -> dict[str, Any]:
    """generation_config.json, or config.json where there is none; a task's own options on top."""
    settings = dict(checkpoint.generation or checkpoint.config)
    tasks = checkpoint.option("task_specific_params", {})
    own = tasks.get(task, {}) if isinstance(tasks, Mapping) and task else {}
    return {**settings, **own}


def pass_over(checkpoint: PublishedCheckpoint, name: str, value: object) -> None:
    """Say in the log that an option has no counterpart."""
    logging.getLogger("transduce").warning(
        "%s: generation option %s=%s is not taken over", checkpoint.folder, name, value
    )


def search_options(checkpoint: PublishedCheckpoint, task: str | None = None) -> dict[str, Any]:
    """The search section. What has no counterpart is named in the log."""
    settings = generation_settings(checkpoint, task)
    # null and a length of 20 are what the library writes where nobody chose anything
    chosen = {k: v for k, v in settings.items() if v is not None and (k, v) != ("max_length", 20)}
    with naming(checkpoint.folder):
        options = to_search(chosen)
    beams = options.get("sample_beam", options["beam"])
    if not options.get("sample") or beams > 1:
        options["nbest"] = min(options["nbest"], beams)
    given = {name: value for name in _FOREIGN if (value := settings.get(name)) is not None}
    given = {name: value for name, value in given.items() if value not in _FOREIGN[name]}
    for name, value in given.items():
        pass_over(checkpoint, name, value)
    positions = checkpoint.config.get("max_position_embeddings")
    if isinstance(positions, int):
        options["max_length"] = max(1, min(options["max_length"], positions - 2))
    options["min_length"] = min(options.get("min_length", 0), options["max_length"])
    return options


def to_search(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Our search options for those of ``generate``, which counts BEGIN and END as tokens.

    Raises ConfigError naming an option of another type than it must be.
    """
    forced_end = settings.get("forced_eos_token_id") is not None
    if (count := _whole(settings, "max_new_tokens")) is None:
        longest = _whole(settings, "max_length")
        count = LONGEST if longest is None else longest - 1
    beams = _whole(settings, "num_beams") or 1
    options: dict[str, Any] = {
        "beam": beams,
        "nbest": _whole(settings, "num_return_sequences") or 1,
        "length_normalization": "power",
        "length_alpha": 1.0,
        "stopping": _stopping(settings.get("early_stopping")),
        "forced_end": forced_end,
        "max_length": max(1, count - forced_end),
    }
    if (alpha := _number(settings, "length_penalty")) is not None:
        options["length_alpha"] = float(alpha)
    if shortest := _whole(settings, "min_new_tokens"):
        options["min_length"] = shortest
    elif shortest := _whole(settings, "min_length"):
        options["min_length"] = max(0, shortest - 1)
    if size := _whole(settings, "no_repeat_ngram_size"):
        options["no_repeat_ngram"] = size
    if (penalty := _number(settings, "repetition_penalty")) is not None:
        options["repetition_penalty"] = penalty
    if settings.get("do_sample"):
        options |= {"sample": True, "beam": 1, "stopping": "bound", "forced_end": False}
        options |= {"sample_beam": beams, **_draws(settings)}
    return options


OF_DRAWS = ("temperature", "top_k", "top_p", "min_p", "typical_p", "epsilon_cutoff", "eta_cutoff")


def _draws(settings: Mapping[str, Any]) -> dict[str, Any]:
    """What draws are made of; None where an option is there and cuts nothing."""
    found: dict[str, Any] = {name: _number(settings, name) for name in OF_DRAWS}
    found["temperature"] = 1.0 if found["temperature"] is None else found["temperature"]
    # The library's own default; none at all is said by 0 or by null.
    found["top_k"] = found["top_k"] or None if "top_k" in settings else _TOP_K
    if found["top_p"] == 0:
        found["top_p"] = _LIKELIEST
    for name in ("top_p", "typical_p"):
        found[name] = None if found[name] == 1 else found[name]
    for name in ("min_p", "epsilon_cutoff", "eta_cutoff"):
        found[name] = found[name] or None
    return found


_STOPPING = {False: "generate", True: "generate-early", "never": "generate-never"}


def _stopping(given: object) -> str:
    return _STOPPING.get(given, "generate") if isinstance(given, bool | str) else "generate"


def _whole(settings: Mapping[str, Any], name: str) -> int | None:
    value = settings.get(name)
    if value is None or type(value) is int:
        return value
    raise ConfigError(f"{name} must be a whole number; got {str(value)[:40]}")


def _number(settings: Mapping[str, Any], name: str) -> float | None:
    value = settings.get(name)
    if value is None or type(value) in (int, float):
        return value
    raise ConfigError(f"{name} must be a number; got {str(value)[:40]}")
