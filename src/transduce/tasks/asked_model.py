"""The model as one call asks for it: between two languages, for a task, in shorter parts."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from transduce.config.audio import AudioConfig
from transduce.errors import ConfigError, LanguageError
from transduce.reading.frames import frame_reader
from transduce.tasks.options.option_table import Kind
from transduce.tasks.spoken_languages import language_code
from transduce.tokenization.tokenizer import Tokenizer
from transduce.workflow.trained import TrainedModel

__all__ = ["asked_model", "known_languages"]

_TASKS = ("<|transcribe|>", "<|translate|>")


def known_languages(model: TrainedModel) -> Mapping[str, int]:
    """The codes of a model of many languages; none of another."""
    tokenizer = model.target_tokenizer
    published = tokenizer.published if isinstance(tokenizer, Tokenizer) else None
    return {} if published is None else published.languages


def asked_model(
    model: TrainedModel, asked: Mapping[str, Any], kind: Kind, untold: LanguageError | None
) -> TrainedModel:
    """The same model for one call. ``untold``: what is to be said where it needs languages that
    nobody named.

    Raises ConfigError, LanguageError.
    """
    if kind == "speech":
        return _listening(_hearing(model, asked), asked.get("chunk_length_s"))
    source, target = asked.get("src_lang"), asked.get("tgt_lang")
    known = known_languages(model)
    if not known:  # as in transformers they say nothing to a model of two languages
        return model
    if untold is not None and (source is None or target is None):
        raise untold
    if source is None and target is None:
        return model
    return model.speaking(
        None if source is None else language_code(_text("src_lang", source), known),
        None if target is None else language_code(_text("tgt_lang", target), known),
    )


def _hearing(model: TrainedModel, asked: Mapping[str, Any]) -> TrainedModel:
    known = known_languages(model)
    language = asked.get("language", asked.get("src_lang"))
    if language is not None:
        code = language_code(_text("language", language), known)
        if known:
            model = model.speaking(code, None)
        elif code != "en":
            raise LanguageError(f"language must be left out for a model of one; got {language!r}")
    task = asked.get("task", "translate" if asked.get("tgt_lang") is not None else None)
    if task is None:
        return model
    if task not in ("transcribe", "translate"):
        raise ConfigError(f"task must be transcribe or translate; got {str(task)[:40]!r}")
    if not known and task == "transcribe":
        return model
    tokenizer = model.target_tokenizer
    if not known or not isinstance(tokenizer, Tokenizer):
        raise LanguageError("task must be transcribe for a model of one language; got translate")
    before, after = _TASKS if task == "translate" else _TASKS[::-1]
    other = copy.copy(model)
    other.target_tokenizer = tokenizer.replacing(before, after)
    return other


def _listening(model: TrainedModel, seconds: object) -> TrainedModel:
    """The same in parts of at most so many seconds, and no longer ones than it reads."""
    options = model.config.data.input
    if seconds is None or seconds == 0 or not isinstance(options, AudioConfig):
        return model
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or seconds < 0:
        raise ConfigError(f"chunk_length_s must be a number of seconds; got {str(seconds)[:40]}")
    longest = min(seconds, options.cut_at) if options.cut_at is not None else seconds
    other = copy.copy(model)
    other.config = model.config.updated({"data.input.cut_at": float(longest)})
    reader = frame_reader(other.config.data)
    if reader is not None:
        other.source = reader
    return other


def _text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise ConfigError(f"{name} must be a language; got {str(value)[:40]}")
    return value
