"""``pipeline``: a model for a task, called as Hugging Face transformers 4 had it.

Version 5 of that library took the text-to-text pipelines out; code written for them runs here with
the import changed, on models of any kind that this library reads.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from transduce.config import SearchConfig
from transduce.errors import ConfigError, DataError
from transduce.pretrained.checkpoint.generation import to_search
from transduce.pretrained.checkpoint.published_checkpoint import read_json
from transduce.pretrained.published_model import read_pretrained
from transduce.reading.parts import find_part
from transduce.workflow.trained import TrainedModel

__all__ = ["Text2TextPipeline", "pipeline"]

# The key of each task's answers.
_KEYS = {
    "translation": "translation_text",
    "summarization": "summary_text",
    "text2text-generation": "generated_text",
    "automatic-speech-recognition": "text",
    "image-to-text": "generated_text",
    "text-generation": "generated_text",
}
_TEXTS = ("translation", "summarization", "text2text-generation", "text-generation")
_TRANSLATION = re.compile(r"translation_(\w+)_to_(\w+)")
# What ``generate`` takes and we have; the values are those that say nothing.
_GENERATE = {
    *("max_length", "max_new_tokens", "min_length", "min_new_tokens", "num_beams"),
    *("num_return_sequences", "length_penalty", "early_stopping", "no_repeat_ngram_size"),
    *("do_sample", "temperature", "top_k", "top_p"),
}
_OF_DRAWS = {"temperature", "top_k", "top_p"}
_IDLE = {"clean_up_tokenization_spaces", "truncation", "batch_size"}


def pipeline(
    task: str,
    model: str | Path | TrainedModel,
    *,
    device: str = "auto",
    src_lang: str | None = None,
    tgt_lang: str | None = None,
    part: str | None = None,
) -> Text2TextPipeline:
    """A callable for a task: ``pipeline("translation_en_to_fr", model=PATH)("Hello!")``.

    Args:
        task: ``translation``, ``translation_XX_to_YY``, ``summarization``,
            ``text2text-generation``, ``text-generation``, ``automatic-speech-recognition`` or
            ``image-to-text``.
        model: the path of a published model or of ours (nothing is downloaded), or a loaded one.
        device: ``auto``, ``cpu``, ``cuda``.
        src_lang: for models of many languages, as ``source_language``; ``tgt_lang`` likewise.
        part: which of its data sets a model trained on a mixture is asked for; a call may name
            another.

    Raises:
        ConfigError: the task is not known, or the model has no such part.
        ModelError: the model cannot be read.
    """
    kind = "translation" if _TRANSLATION.fullmatch(task) else task
    if kind not in _KEYS:
        known = ", ".join(["translation_XX_to_YY", *_KEYS])
        raise ConfigError(f"task must be one of {known}; got {task!r}")
    if isinstance(model, TrainedModel):
        return Text2TextPipeline(kind, model, {}, part)
    trained = read_pretrained(
        model, device=device, source_language=src_lang, target_language=tgt_lang
    )
    return Text2TextPipeline(kind, trained, _task_options(Path(model), task), part)


def _task_options(folder: Path, task: str) -> Mapping[str, Any]:
    """What config.json says of a task: T5's prefix, a summary's length."""
    if not (folder / "config.json").is_file():
        return {}
    tasks = read_json(folder / "config.json").get("task_specific_params") or {}
    options = tasks.get(task, {}) if isinstance(tasks, Mapping) else {}
    return options if isinstance(options, Mapping) else {}


class Text2TextPipeline:
    """Sources to answers in the form of transformers 4: a list with a mapping for each output.

    One source gives ``[{"translation_text": …}, …]``; a list of sources a list of answers, each
    a mapping, or a list of mappings where ``num_return_sequences`` asks for several. Recordings
    give ``{"text": …}``.
    """

    def __init__(
        self,
        kind: str,
        trained: TrainedModel,
        options: Mapping[str, Any],
        part: str | None = None,
    ) -> None:
        """Raise ConfigError where the model has no such part; None: the calls name theirs."""
        if part is not None:
            find_part(trained.config, part)
        self.task = kind
        self.model = trained
        self.part = part
        self._key = _KEYS[kind]
        self._prefix = str(options.get("prefix") or "")
        self._options = {key: value for key, value in options.items() if key in _GENERATE}

    def __call__(
        self,
        *sources: Any,
        generate_kwargs: Mapping[str, Any] | None = None,
        part: str | None = None,
        **options: Any,
    ) -> Any:
        """Answer one source or a list; options of ``generate`` by name, ``prefix`` as our own.

        ``src_lang`` and ``tgt_lang`` choose languages for this call alone, ``part`` one of a
        mixture.

        Raises ConfigError for an option that is not known and for a part that is none or that the
        model needs and nobody named, DataError for what is no source.
        """
        prefix = str(options.pop("prefix", self._prefix))
        languages = options.pop("src_lang", None), options.pop("tgt_lang", None)
        model = self.model.speaking(*languages) if any(languages) else self.model
        wanted = {**(generate_kwargs or {}), **options}
        search = self._search(wanted)
        alone = len(sources) == 1 and not _is_list(sources[0])
        given = list(sources if len(sources) != 1 or alone else sources[0])
        asked = self.part if part is None else part
        found = model.predict(self._sources(given, prefix), search, part=asked)
        answers = [
            [{self._key: self._said(source) + output.text} for output in outputs]
            for source, outputs in zip(given, found, strict=True)
        ]
        if self._key == "text":
            first = [answer[0] for answer in answers]
            return first[0] if alone else first
        if alone:
            return answers[0]
        # as transformers 4: texts with one answer each are not nested, pictures always are
        flat = self.task in _TEXTS and all(len(answer) == 1 for answer in answers)
        return [answer[0] for answer in answers] if flat else answers

    def _said(self, source: Any) -> str:
        """What an answer begins with: of a text that goes on, the text itself."""
        return str(source) if self.task == "text-generation" else ""

    def _sources(self, given: Sequence[Any], prefix: str) -> Iterable[Any]:
        """What the model reads."""
        if self.task not in _TEXTS:
            return map(_recording, given)
        if not all(isinstance(source, str) for source in given):
            raise DataError("source must be a text or a list of texts")
        return [prefix + source for source in given]

    def _search(self, options: Mapping[str, Any]) -> SearchConfig:
        if unknown := sorted(options.keys() - _GENERATE - _IDLE):
            known = ", ".join(sorted(_GENERATE))
            raise ConfigError(f"option must be one of {known}, part, prefix; got {unknown[0]}")
        asked = {k: v for k, v in {**self._options, **options}.items() if k in _GENERATE}
        own = self.model.config.search
        settings = {
            "num_beams": own.beam,
            "num_return_sequences": 1,
            "forced_eos_token_id": 0 if own.forced_end else None,
            "length_penalty": own.length_alpha if own.length_normalization == "power" else 1.0,
            "early_stopping": _EARLY.get(own.stopping, False),
            "no_repeat_ngram_size": own.no_repeat_ngram,
            "min_new_tokens": own.min_length,
            "max_new_tokens": own.max_length + own.forced_end,
            "do_sample": own.sample,
            **({name: getattr(own, name) for name in _OF_DRAWS} if own.sample else {}),
        }
        for length in ("max", "min"):  # a length asked for counts alone
            if f"{length}_length" in asked:
                del settings[f"{length}_new_tokens"]
        changed = {"sample": False, **to_search({**settings, **asked})}
        if not changed["sample"] and (idle := sorted(asked.keys() & _OF_DRAWS)):
            # what transformers does, whose scripts run here unchanged
            logging.getLogger("transduce").warning("%s does nothing without do_sample", idle[0])
        if own.stopping == "bound" and not asked.keys() & {"length_penalty", "early_stopping"}:
            for name in ("length_normalization", "length_alpha", "stopping", "forced_end"):
                changed[name] = getattr(own, name)
        return self.model.config.searching(changed)


_EARLY = {"generate": False, "generate-early": True, "generate-never": "never"}


def _recording(source: Any) -> Any:
    """``{"raw": samples, "sampling_rate": hertz}``, as recordings of datasets come, as a pair."""
    if not isinstance(source, Mapping):
        return source
    samples = source.get("raw", source.get("array"))
    if samples is None or "sampling_rate" not in source:
        raise DataError(
            "recording must be a path, samples or a mapping with raw (or array) and "
            f"sampling_rate; got {', '.join(map(str, source)) or 'an empty mapping'}"
        )
    return samples, source["sampling_rate"]


def _is_list(value: Any) -> bool:
    return isinstance(value, list) or (
        isinstance(value, Iterable)
        and not isinstance(value, str | tuple | Mapping | Path)
        and not hasattr(value, "__array__")
    )
