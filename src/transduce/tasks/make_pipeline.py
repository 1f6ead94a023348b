"""``pipeline``: from a task and a model's name to what answers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transduce.config import require_one_input
from transduce.errors import ConfigError, EngineError, LanguageError, UnknownTaskError
from transduce.pretrained.checkpoint.published_checkpoint import read_json
from transduce.pretrained.hub import HubAccess, model_folder
from transduce.pretrained.published_model import read_pretrained
from transduce.tasks.asked_lengths import told_longest
from transduce.tasks.asked_model import known_languages
from transduce.tasks.options.constructor_options import Built, built_options
from transduce.tasks.spoken_languages import language_code
from transduce.tasks.task_pipeline import KEYS, Text2TextPipeline, kind_of
from transduce.workflow.trained import TrainedModel

__all__ = ["pipeline"]

_TRANSLATION = re.compile(r"translation_(\w+)_to_(\w+)")
_ANY_LANGUAGE = "auto"
# Options of generation_config.json that imports pass over and calls can hold to.
_OF_CALLS = {
    *("encoder_no_repeat_ngram_size", "encoder_repetition_penalty", "sequence_bias"),
    *("exponential_decay_length_penalty", "num_beam_groups", "diversity_penalty"),
    "renormalize_logits",
}


def pipeline(
    task: str,
    model: str | Path | TrainedModel | None = None,
    *,
    device: Any = "auto",
    src_lang: str | None = None,
    tgt_lang: str | None = None,
    part: str | None = None,
    download: bool = False,
    legacy_weights: bool = False,
    **options: Any,
) -> Text2TextPipeline:
    """A callable for a task: ``pipeline("translation_en_to_fr", model=PATH)("Hello!")``.

    Args:
        task: ``translation``, ``translation_XX_to_YY``, ``summarization``,
            ``text2text-generation``, ``text-generation``, ``automatic-speech-recognition`` or
            ``image-to-text``.
        model: the path of a published model or of ours, a name on the hub that is in its local
            cache, or a loaded one.
        device: ``auto``, ``cpu``, ``cuda``, a number as transformers had it (-1: the CPU).
        src_lang: for models of many languages, as ``source_language``; ``tgt_lang`` likewise. A
            call may name others; ``translation_XX_to_YY`` names them too.
        part: which of its data sets a model trained on a mixture is asked for; a call may name
            another.
        download: permits fetching a name that is not in the cache from the hub.
        legacy_weights: permits pytorch_model.bin, a pickle, read as data.
        options: other options of the constructors of transformers, and any of a call, for all
            calls; docs/pretrained.md has the table.

    Raises:
        ConfigError: the task or an option is not known, or the model has no such part.
        ModelError: the model cannot be read; NoModelError, which is an OSError too, where there
            is none of that name.
    """
    kind = "translation" if _TRANSLATION.fullmatch(str(task)) else str(task)
    if kind not in KEYS:
        known = ", ".join(["translation_XX_to_YY", *KEYS])
        raise UnknownTaskError(f"task must be one of {known}; got {task!r}")
    built = built_options(options, device, model)
    if isinstance(model, TrainedModel):
        return Text2TextPipeline(kind, model, {}, part, given=built.calls)
    if not isinstance(model, str | Path):
        raise ConfigError(
            "model must be the path of a folder, a name on the hub or a loaded model of ours; "
            f"got {'none' if model is None else type(model).__name__}"
        )
    folder = model_folder(model, HubAccess(download, **built.hub), legacy_weights=legacy_weights)
    languages = _languages(folder, task, kind, src_lang, tgt_lang)
    trained, untold = _read(folder, built, languages, legacy_weights=legacy_weights)
    return Text2TextPipeline(
        kind,
        trained,
        _task_options(folder, task),
        part,
        given=built.calls,
        longest=told_longest(folder),
        untold=untold,
    )


def _languages(
    folder: Path, task: str, kind: str, source: str | None, target: str | None
) -> tuple[str | None, str | None]:
    """Those that are told: by name, by the task's name, or (what is heard) guessed."""
    named = _TRANSLATION.fullmatch(task)
    if named is not None and source is None and target is None:
        return named[1], named[2]
    if kind_of(kind) == "speech" and source is None:
        config = folder / "config.json"
        if config.is_file() and read_json(config).get("model_type") == "whisper":
            return _ANY_LANGUAGE, target
    return source, target


def _read(
    folder: Path,
    built: Built,
    languages: tuple[str | None, str | None],
    *,
    legacy_weights: bool,
) -> tuple[TrainedModel, LanguageError | None]:
    """The model, and what is to be said to a call that names no languages where it needs them."""
    source, target = languages

    def read(source: str | None, target: str | None) -> TrainedModel:
        trained = read_pretrained(
            folder,
            device=built.device,
            source_language=source,
            target_language=target,
            legacy_weights=legacy_weights,
        )
        require_one_input(trained.config, "a pipeline")
        return trained if built.engine is None else _computing(trained, built.engine)

    try:
        return read(source, target), None
    except LanguageError as error:
        known = error.known
        if not known:
            raise
        told = [None if one is None else language_code(one, known) for one in languages]
        if any(one is not None and one not in known for one in told):
            raise
        trained = read(told[0] or known[0], told[1] or known[-1])
        complete = None not in told or not known_languages(trained)
        return trained, None if complete else error


def _computing(trained: TrainedModel, engine: str) -> TrainedModel:
    """With other numbers, where it has them. Raises ConfigError."""
    before = trained.config
    trained.config = before.updated({"engine": engine})
    try:
        trained.stepper()
    except EngineError as error:
        if engine != "float32":
            raise ConfigError(f"torch_dtype must be float32 or auto; {error}") from None
        trained.config = before  # the model itself, or transformers, computes in float32
    return trained


def _task_options(folder: Path, task: str) -> Mapping[str, Any]:
    """What the folder says of a task: T5's prefix, a summary's length; and of all calls."""
    found: dict[str, Any] = {}
    generation = folder / "generation_config.json"
    if generation.is_file():
        settings = read_json(generation)
        found = {k: v for k, v in settings.items() if k in _OF_CALLS and v is not None}
        ends = settings.get("eos_token_id")
        if isinstance(ends, list) and len(ends) > 1:
            found["eos_token_id"] = ends
    if not (folder / "config.json").is_file():
        return found
    tasks = read_json(folder / "config.json").get("task_specific_params") or {}
    options = tasks.get(task, {}) if isinstance(tasks, Mapping) else {}
    return {**found, **options} if isinstance(options, Mapping) else found
