"""What a checkpoint says of how its outputs are searched, in our words."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from transduce.pretrained.folder import Checkpoint

__all__ = ["LONGEST", "generation_settings", "pass_over", "search_options", "to_search"]

LONGEST = 256  # tokens of an output where the checkpoint says nothing

# Generation options that change what is written and have no counterpart here, with the
# values that say nothing.
_FOREIGN: dict[str, tuple[object, ...]] = {
    "repetition_penalty": (1, 1.0),
    "encoder_no_repeat_ngram_size": (0,),
    "encoder_repetition_penalty": (1, 1.0),
    "num_beam_groups": (1,),
    "typical_p": (1, 1.0),
    "penalty_alpha": (0, 0.0),
    "exponential_decay_length_penalty": (),
    "sequence_bias": (),
    "guidance_scale": (1, 1.0),
}


def generation_settings(checkpoint: Checkpoint, task: str | None = None) -> dict[str, Any]:
    """generation_config.json, or config.json where there is none; a task's own options on top."""
    settings = dict(checkpoint.generation or checkpoint.config)
    tasks = checkpoint.option("task_specific_params", {})
    own = tasks.get(task, {}) if isinstance(tasks, Mapping) and task else {}
    return {**settings, **own}


def pass_over(checkpoint: Checkpoint, name: str, value: object) -> None:
    """Say in the log that an option has no counterpart."""
    logging.getLogger("transduce").warning(
        "%s: generation option %s=%s is not taken over", checkpoint.folder, name, value
    )


def search_options(checkpoint: Checkpoint, task: str | None = None) -> dict[str, Any]:
    """The search section. What has no counterpart is named in the log."""
    settings = generation_settings(checkpoint, task)
    given = {name: value for name in _FOREIGN if (value := settings.get(name)) is not None}
    given = {name: value for name, value in given.items() if value not in _FOREIGN[name]}
    for name, value in given.items():
        pass_over(checkpoint, name, value)
    options = to_search(settings)
    positions = checkpoint.config.get("max_position_embeddings")
    if isinstance(positions, int):
        options["max_length"] = max(1, min(options["max_length"], positions - 2))
    options["min_length"] = min(options.get("min_length", 0), options["max_length"])
    return options


def to_search(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Our search options for those of ``generate``, which counts BEGIN and END as tokens."""
    forced_end = settings.get("forced_eos_token_id") is not None
    if (count := settings.get("max_new_tokens")) is None:
        longest = settings.get("max_length")
        # 20 is what the library writes where nobody chose a length
        count = LONGEST if longest is None or longest == 20 else longest - 1
    options: dict[str, Any] = {
        "beam": settings.get("num_beams") or 1,
        "nbest": settings.get("num_return_sequences") or 1,
        "length_normalization": "power",
        "length_alpha": 1.0,
        "stopping": _STOPPING.get(settings.get("early_stopping"), "generate"),
        "forced_end": forced_end,
        "max_length": max(1, count - forced_end),
    }
    if settings.get("length_penalty") is not None:
        options["length_alpha"] = float(settings["length_penalty"])
    if settings.get("min_new_tokens"):
        options["min_length"] = settings["min_new_tokens"]
    elif settings.get("min_length"):
        options["min_length"] = max(0, settings["min_length"] - 1)
    if settings.get("no_repeat_ngram_size"):
        options["no_repeat_ngram"] = settings["no_repeat_ngram_size"]
    if settings.get("do_sample"):
        options |= {"sample": True, "beam": 1, "stopping": "bound", "forced_end": False}
        for name in ("temperature", "top_k", "top_p"):
            if settings.get(name):
                options[name] = settings[name]
    options["nbest"] = min(options["nbest"], max(options["beam"], 1))
    return options


_STOPPING = {False: "generate", True: "generate-early", "never": "generate-never"}
