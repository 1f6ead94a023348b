"""Options of ``generate`` that name symbols by their numbers: bans, beginnings, ends, biases."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from transduce.config import SearchConfig
from transduce.errors import ConfigError
from transduce.interfaces import END
from transduce.search.rules.adjustments import Adjustments
from transduce.tasks.token_numbers import TokenNumbers
from transduce.workflow.predicting.output_rules import OutputRules
from transduce.workflow.trained import TrainedModel

__all__ = ["adjustments", "output_rules", "unending"]

Phrase = tuple[int, ...]


def output_rules(numbers: TokenNumbers, options: Mapping[str, Any]) -> OutputRules:
    """What outputs begin with, hold and do not hold. Raises ConfigError."""
    start = options.get("decoder_start_token_id")
    if start is not None and start != numbers.start:
        raise ConfigError(
            f"decoder_start_token_id must be that of the checkpoint ({numbers.start}); got {start}"
        )
    forced = options.get("forced_eos_token_id")
    if forced is not None and numbers.ours("forced_eos_token_id", forced) != (END,):
        raise ConfigError(f"forced_eos_token_id must be the model's own end; got {forced}")
    banned = numbers.ours("begin_suppress_tokens", options.get("begin_suppress_tokens", ()))
    return OutputRules(
        _first(numbers, options), banned, _forbidden(numbers, options), _required(numbers, options)
    )


def _first(numbers: TokenNumbers, options: Mapping[str, Any]) -> Phrase | None:
    if (forced := options.get("forced_bos_token_id")) is not None:
        return numbers.ours("forced_bos_token_id", forced)
    if (given := options.get("forced_decoder_ids")) is None:
        return None
    if not isinstance(given, list | tuple) or not all(
        isinstance(pair, list | tuple) and len(pair) == 2 for pair in given
    ):
        raise ConfigError("forced_decoder_ids must be a list of pairs: a place and a symbol")
    pairs = sorted(map(tuple, given), key=lambda pair: str(pair[0]))
    if [place for place, _ in pairs] != list(range(1, len(pairs) + 1)):
        raise ConfigError("forced_decoder_ids must name the places from 1 on, each once")
    return numbers.ours("forced_decoder_ids", [symbol for _, symbol in pairs])


def _forbidden(numbers: TokenNumbers, options: Mapping[str, Any]) -> tuple[Phrase, ...]:
    """Phrases that no output holds. Padding and unknown symbols are never written anyway, and a
    ban of the end alone counts as none among bad words.
    """
    found: list[Phrase] = [(n,) for n in _numbers(numbers, "suppress_tokens", options) if n > END]
    for phrase in numbers.phrases("bad_words_ids", options.get("bad_words_ids", ())):
        if phrase == (END,) or any(n < END for n in phrase):
            continue
        if END in phrase:
            raise ConfigError("bad_words_ids must not hold the end inside a phrase")
        found.append(phrase)
    return tuple(dict.fromkeys(found))


def _numbers(numbers: TokenNumbers, name: str, options: Mapping[str, Any]) -> Phrase:
    return numbers.ours(name, options.get(name, ()))


def unending(numbers: TokenNumbers, options: Mapping[str, Any]) -> bool:
    """Whether the end is among what is never written: outputs are as long as they may be."""
    return END in _numbers(numbers, "suppress_tokens", options)


def _required(numbers: TokenNumbers, options: Mapping[str, Any]) -> tuple[Phrase, ...]:
    given = options.get("force_words_ids", ())
    if any(isinstance(n, list | tuple) for phrase in given for n in phrase):
        raise ConfigError("force_words_ids must be a list of lists of numbers, no alternatives")
    return tuple(numbers.phrases("force_words_ids", given))


def adjustments(
    numbers: TokenNumbers, model: TrainedModel, options: Mapping[str, Any], search: SearchConfig
) -> Adjustments:
    """What bears on scores. Raises ConfigError."""
    ends = tuple(dict.fromkeys(_ends(numbers, model, options)))
    penalty = _positive("encoder_repetition_penalty", options.get("encoder_repetition_penalty", 1))
    size = options.get("encoder_no_repeat_ngram_size") or None
    biases = tuple(_biases(numbers, options.get("sequence_bias", ())))
    of_source = penalty != 1 or size is not None
    if of_source and model.config.data.input.kind != "text":
        raise ConfigError("encoder_repetition_penalty must be left out for sources of no tokens")
    repeats = search.no_repeat_ngram or search.is_set("repetition_penalty") or biases
    prompt = bool(model.goes_on and (repeats or of_source))
    return Adjustments(
        ends=() if ends == (END,) else ends,
        biases=biases,
        end_growth=_growth(options.get("exponential_decay_length_penalty")),
        renormalized=bool(options.get("renormalize_logits")),
        source_tokens=numbers.of_source() if of_source or prompt else (),
        source_penalty=penalty,
        source_ngram=size,
        is_prompt=prompt,
    )


def _ends(numbers: TokenNumbers, model: TrainedModel, options: Mapping[str, Any]) -> Phrase:
    """A text that ends the output stands in the place of all others, by its first token."""
    if (text := options.get("stop_sequence")) is None:
        return numbers.ours("eos_token_id", options.get("eos_token_id", ()))
    if not isinstance(text, str) or not (found := numbers.coder.encode_phrase(text)):
        raise ConfigError(f"stop_sequence must be a text; got {str(text)[:40]!r}")
    return (found[0],)


def _growth(given: object) -> tuple[int, float] | None:
    if given is None:
        return None
    match given:
        case [int(start), (int() | float()) as factor] if start >= 0 and factor > 0:
            return start, float(factor)
    raise ConfigError(
        "exponential_decay_length_penalty must be a number of tokens and a factor; "
        f"got {str(given)[:40]}"
    )


def _biases(numbers: TokenNumbers, given: object) -> list[tuple[Phrase, float]]:
    pairs = list(given.items()) if isinstance(given, Mapping) else given
    if not isinstance(pairs, list | tuple):
        raise ConfigError(f"sequence_bias must be a mapping or pairs; got {str(given)[:40]}")
    found = []
    for pair in pairs:
        if not isinstance(pair, list | tuple) or len(pair) != 2 or type(pair[1]) is not float:
            raise ConfigError(
                f"sequence_bias must give each list of numbers a float; got {str(pair)[:40]}"
            )
        phrase = numbers.phrases("sequence_bias", [pair[0]])[0]
        found.append((phrase, pair[1]))
    return found


def _positive(name: str, value: object) -> float:
    if type(value) not in (int, float) or not value > 0:  # type: ignore[operator]
        raise ConfigError(f"{name} must be a number above 0; got {str(value)[:40]}")
    return float(value)  # type: ignore[arg-type]
