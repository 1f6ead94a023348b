"""A model for a task, called as the pipelines of transformers 4 were."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch

from transduce.config import SearchConfig
from transduce.errors import ConfigError, LanguageError
from transduce.reading.parts import find_part
from transduce.tasks.asked_lengths import cut_prompts, longest_source, prompt_searches, truncates
from transduce.tasks.asked_model import asked_model
from transduce.tasks.options.asked_options import asked_options
from transduce.tasks.options.generate_options import Wanted, wanted_search
from transduce.tasks.options.option_table import Kind
from transduce.tasks.spoken_languages import language_name
from transduce.tasks.task_answers import AnswerForm, answer_form, as_tensors, recording_answer
from transduce.tasks.task_sources import given_sources, is_many, read_source
from transduce.tasks.token_numbers import TokenNumbers
from transduce.workflow.predicting.output import Output
from transduce.workflow.trained import TrainedModel

__all__ = ["KEYS", "Text2TextPipeline", "kind_of"]

# The key of each task's answers.
KEYS = {
    "translation": "translation_text",
    "summarization": "summary_text",
    "text2text-generation": "generated_text",
    "automatic-speech-recognition": "text",
    "image-to-text": "generated_text",
    "text-generation": "generated_text",
}
_KINDS: Mapping[str, Kind] = {
    "automatic-speech-recognition": "speech",
    "image-to-text": "picture",
    "text-generation": "prompt",
}
_MOST_SEED = 1 << 62


def kind_of(task: str) -> Kind:
    """What a task turns into text."""
    return _KINDS.get(task, "text")


@dataclass(frozen=True)
class _AskedCall:
    """One call: the model as it is asked, what it searches, the form of its answers."""

    model: TrainedModel
    asked: Mapping[str, Any]
    wanted: Wanted
    form: AnswerForm
    numbers: TokenNumbers
    part: str | None


class Text2TextPipeline:
    """Sources to answers in the form of transformers 4: a list with a mapping for each output.

    One source gives ``[{"translation_text": …}, …]``; a list of sources a list of answers, each
    a mapping, or a list of mappings where ``num_return_sequences`` asks for several. Recordings
    give ``{"text": …}``. An iterator is answered as it comes.
    """

    def __init__(
        self,
        task: str,
        trained: TrainedModel,
        options: Mapping[str, Any],
        part: str | None = None,
        *,
        given: Mapping[str, Any] | None = None,
        longest: int | None = None,
        untold: LanguageError | None = None,
    ) -> None:
        """``options`` are the task's own (its prefix, its lengths), ``given`` those of all calls.

        ``longest``: tokens that the tokenizer says a source may have; ``untold``: what is to be
        said where a call names no languages. Raises ConfigError where the model has no such part
        (None: the calls name theirs) and for an option that is not known or refused.
        """
        if part is not None:
            find_part(trained.config, part)
        self.task = task
        self.kind = kind_of(task)
        self.model = trained
        self.part = part
        self._key = KEYS[task]
        self._prefix = str(options.get("prefix") or "")
        self._given = dict(given or {})
        self._longest = longest
        self._untold = untold
        self._own = {name: value for name, value in options.items() if name != "prefix"}
        asked_options(self._given, self.kind)

    def __call__(self, *sources: Any, **options: Any) -> Any:
        """Answer one source, a list or an iterator; options of ``generate`` by name, and those of
        the table in docs/pretrained.md.

        Raises ConfigError for an option that is not known or refused and for a part that is none
        or that the model needs and nobody named, DataError for what is no source.
        """
        options = {**self._given, **options}
        given = given_sources(sources, options)
        call = self._call(options)
        alone = not is_many(given, self.kind)
        if isinstance(given, Iterator) and not alone:
            return self._one_by_one(given, call)
        answers = list(self._answers([given] if alone else list(given), call))
        if alone:
            return answers[0]
        # as transformers 4: texts with one answer each are not nested, pictures and prompts are
        flat = self.kind == "text" and all(len(answer) == 1 for answer in answers)
        return [answer[0] for answer in answers] if flat else answers

    # ------------------------------------------------ what is asked

    def _call(self, options: Mapping[str, Any]) -> _AskedCall:
        asked = asked_options(options, self.kind)
        model = asked_model(self.model, asked, self.kind, self._untold)
        part = asked.get("part", self.part)
        name = find_part(model.config, part).name
        wanted = wanted_search(model, self._stopping(asked), self._own, name)
        if wanted.search.sample:
            wanted = replace(wanted, search=_with_seed(wanted.search, asked.get("seed")))
        if self.kind == "text" and (cut := asked.get("truncation")) is not None and truncates(cut):
            wanted = replace(wanted, search=self._cutting(model, wanted.search))
        form = answer_form(self._key, asked, prompts=self.kind == "prompt")
        form = replace(form, stop_strings=wanted.stop_strings)
        return _AskedCall(model, asked, wanted, form, TokenNumbers(model, name), part)

    def _search(self, options: Mapping[str, Any]) -> SearchConfig:
        """The search of a call with these options."""
        return self._call({**self._given, **options}).wanted.search

    def _stopping(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Of prompts ``stop_sequence`` is one or several whole texts."""
        if self.kind != "prompt" or "stop_sequence" not in asked:
            return asked
        left = dict(asked)
        return {**left, "stop_strings": left.pop("stop_sequence")}

    def _cutting(self, model: TrainedModel, search: SearchConfig) -> SearchConfig:
        longest = longest_source(model, self._longest)
        known = [n for n in (longest, search.max_source_length) if n is not None]
        return search.model_copy(update={"max_source_length": min(known, default=None)})

    # ------------------------------------------------ what is answered

    def _one_by_one(self, sources: Iterator[Any], call: _AskedCall) -> Iterator[Any]:
        for source in sources:
            yield from self._answers([source], call)

    def _answers(self, given: list[Any], call: _AskedCall) -> Iterator[Any]:
        """What each source is answered with: a list of records, or that of a recording."""
        sources = [read_source(source, self.kind) for source in given]
        prefix = str(call.asked.get("prefix", self._prefix))
        read = [prefix + source for source in sources] if prefix else sources
        for source, outputs in zip(sources, self._outputs(read, call), strict=True):
            if self.kind == "speech":
                yield self._heard(outputs[0], call)
                continue
            records = [call.form.record(output, source, call.numbers) for output in outputs]
            numbers = call.form.kind == "tensors" and self.kind == "text"
            yield as_tensors(records, call.numbers.padding) if numbers else records

    def _outputs(self, sources: list[Any], call: _AskedCall) -> Iterable[list[Output]]:
        if self.kind != "prompt" or not call.model.goes_on:
            return self._predicted(sources, call, call.wanted.search)
        name = find_part(call.model.config, call.part).name
        prompts = cut_prompts(call.model, sources, call.wanted, name, call.asked, self._longest)
        outputs: dict[int, list[Output]] = {}
        for places, search in prompt_searches(call.model, prompts, call.wanted, name):
            found = self._predicted([prompts[place] for place in places], call, search)
            outputs.update(zip(places, found, strict=True))
        return [outputs[place] for place in range(len(prompts))]

    def _predicted(
        self, sources: list[Any], call: _AskedCall, search: SearchConfig
    ) -> Iterator[list[Output]]:
        timings = bool(call.asked.get("return_timestamps"))
        return call.model.predict(
            sources, search, part=call.part, timings=timings, rules=call.wanted.rules
        )

    def _heard(self, output: Output, call: _AskedCall) -> dict[str, Any]:
        """The answer for a recording, its language by the name that transformers has for it."""
        times = call.asked.get("return_timestamps")
        if times not in (None, True, False, "word"):
            raise ConfigError(f"return_timestamps must be true, false or word; got {times!r}")
        wants_language = bool(call.asked.get("return_language"))
        code = output.language or (call.numbers.language() if wants_language else "")
        named = replace(output, language=language_name(code)) if code else output
        return recording_answer(named, times, language=wants_language)


def _with_seed(search: SearchConfig, seed: object) -> SearchConfig:
    """Each call draws anew, as ``torch.manual_seed`` decides, unless it names a seed."""
    if seed is None:
        seed = int(torch.randint(_MOST_SEED, (1,)))
    if type(seed) is not int or abs(seed) > _MOST_SEED:
        raise ConfigError(f"seed must be a whole number; got {str(seed)[:40]}")
    return search.model_copy(update={"seed": seed})
