"""``transduce.pipeline``: options as code written for transformers hands them over."""

from __future__ import annotations

import json
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import torch

from fuzz.feeding.models import saved_model
from fuzz.harness import Files, Harness, WrongAnswerError, lay
from fuzz.mutations.values import json_with
from transduce.errors import ConfigError
from transduce.interfaces import END
from transduce.tasks import pipeline
from transduce.workflow.trained import TrainedModel

_TASKS = ("text2text-generation", "translation", "summarization", "translation_en_to_fr")
_CALLS: list[dict[str, Any]] = [
    {"sources": "the cat", "options": {}},
    {"sources": ["the cat", "", "dogs"], "options": {"max_length": 9, "num_beams": 3}},
    {
        "sources": ["a"],
        "options": {"num_beams": 4, "num_return_sequences": 2, "early_stopping": True},
    },
    {"sources": ["a", "b"], "options": {"do_sample": True, "top_k": 5, "top_p": 0.9}},
    {"sources": "a", "options": {"max_new_tokens": 4, "min_new_tokens": 2, "length_penalty": 2.0}},
    {"sources": "a", "options": {"no_repeat_ngram_size": 2, "temperature": 0.7, "prefix": "say: "}},
]
_LONG = 65_536  # may be asked for, and takes as long as it takes
_BOUNDED = {"max_length": 40, "max_new_tokens": 40, "min_length": 40, "min_new_tokens": 40}


@cache
def _trained() -> TrainedModel:
    """A model whose answers end soon."""
    with tempfile.TemporaryDirectory() as home:
        trained = TrainedModel.load(lay(saved_model("gru"), Path(home)), "cpu")
    with torch.no_grad():
        trained.model.output.bias[END] = 1.0
    return trained


def feed(files: Files, folder: Path) -> object:
    """Call it as a mapping says."""
    try:
        call = json.loads(files["call.json"])
    except (ValueError, RecursionError):
        raise ConfigError("no call") from None
    call = call if isinstance(call, dict) else {"task": call}
    made = pipeline(str(call.get("task", _TASKS[0])), _trained(), part=call.get("part"))
    options = call.get("options")
    options = options if isinstance(options, dict) else {}
    options = {name: _affordable(name, value) for name, value in options.items()}
    sources = call.get("sources", [])
    answers = made(sources, **options) if call.get("alone", True) else made(*sources, **options)
    if isinstance(sources, list) and len(answers) != len(sources):
        raise WrongAnswerError(f"{len(sources)} sources, {len(answers)} answers")
    json.dumps(answers)
    return len(answers), type(answers).__name__


def _affordable(name: str, value: Any) -> Any:
    """Lengths and beams that are permitted, but take long."""
    if type(value) is int:
        if name in _BOUNDED and _BOUNDED[name] < value <= _LONG:
            return value % _BOUNDED[name] + 1
        if name.startswith("num_") and 8 < value <= 10_000:
            return value % 8 + 1
    return value


def _samples() -> list[Files]:
    calls = [{"task": _TASKS[n % len(_TASKS)], **call} for n, call in enumerate(_CALLS)]
    return [{"call.json": json.dumps(call).encode()} for call in calls]


HARNESS = Harness(
    "pipeline",
    _samples,
    {
        "*": json_with(
            *(*_TASKS, "automatic-speech-recognition", "image-to-text", "text-generation", "never"),
            *("batch_size", "truncation", "src_lang", "num_beams", "top_k", 1, 2, 3, 4, 0.5, 1.0),
        )
    },
    feed,
    quick=80,
)
