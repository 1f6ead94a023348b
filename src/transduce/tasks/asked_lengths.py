"""How long sources may be: texts and prompts that are cut, and the room that these leave."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from transduce.config import SearchConfig
from transduce.errors import ConfigError, DataError
from transduce.pretrained.checkpoint.published_checkpoint import read_json
from transduce.tasks.options.generate_options import Wanted
from transduce.tokenization.joint import coder
from transduce.workflow.model_folder import PUBLISHED
from transduce.workflow.predicting import source_limits
from transduce.workflow.trained import TrainedModel

__all__ = ["cut_prompts", "longest_source", "prompt_searches", "told_longest", "truncates"]

_ENDLESS = 1_000_000  # tokens: what tokenizers say who know no length
_CUTS = ("true", "only_first", "longest_first")
_LEAVES = ("false", "do_not_truncate", "only_second")


def told_longest(folder: Path) -> int | None:
    """``model_max_length`` of a tokenizer, in tokens; None where it says nothing."""
    for place in (folder, folder / PUBLISHED):
        file = place / "tokenizer_config.json"
        if file.is_file():
            longest = read_json(file).get("model_max_length")
            if type(longest) is int and 0 < longest < _ENDLESS:
                return longest
    return None


def truncates(given: object) -> bool:
    """Whether sources are cut, as tokenizers are told it. Raises ConfigError."""
    value = str(getattr(given, "value", given)).lower()
    if value not in (*_CUTS, *_LEAVES):
        raise ConfigError(f"truncation must be true or false; got {str(given)[:40]}")
    return value in _CUTS


def longest_source(model: TrainedModel, told: int | None) -> int | None:
    """Tokens, the end counted, that a model can read; None where nobody knows."""
    own = model.positions
    if own is None:
        own = source_limits.longest_source(model.config.model)
    return min((length for length in (told, own) if length is not None), default=None)


def prompt_searches(
    model: TrainedModel, prompts: Sequence[str], wanted: Wanted, part: str
) -> Iterator[tuple[list[int], SearchConfig]]:
    """The places of prompts that are searched alike, and how: where the length of prompt and output
    together is limited, prompts of one length. Raises ConfigError where there is no room left.
    """
    own = coder(model.source_tokenizer, part)
    groups: dict[int, list[int]] = {}
    limited = wanted.most is not None or wanted.least is not None or model.positions is not None
    for place, prompt in enumerate(prompts):
        groups.setdefault(len(own.encode(prompt)) if limited else 0, []).append(place)
    for length, places in sorted(groups.items()):
        yield places, _within(model, length, wanted)


def _within(model: TrainedModel, length: int, wanted: Wanted) -> SearchConfig:
    search = wanted.search
    changed: dict[str, int] = {}
    if wanted.most is not None:
        if wanted.most <= length:
            raise ConfigError(
                f"max_length must be more than the tokens of the prompt ({length}); "
                f"got {wanted.most}"
            )
        changed["max_length"] = wanted.most - length
    if model.positions is not None:
        room = model.positions - length
        if room < 1:
            raise DataError(
                f"prompt must have fewer than {model.positions} tokens, the positions of the "
                f"model; got {length} (handle_long_generation='hole' cuts its beginning)"
            )
        most = changed.get("max_length", search.max_length)
        if most > room:
            changed["max_length"] = room
    if wanted.least is not None:
        changed["min_length"] = max(0, wanted.least - length)
    most = changed.get("max_length", search.max_length)
    changed["min_length"] = min(changed.get("min_length", search.min_length), most)
    return search.model_copy(update=changed)


def cut_prompts(
    model: TrainedModel,
    prompts: Sequence[str],
    wanted: Wanted,
    part: str,
    options: Mapping[str, Any],
    told: int | None,
) -> list[str]:
    """Prompts without what is too much: their ends where they are truncated, their beginnings
    where the model is to have room for its answer (``hole``). Raises ConfigError.
    """
    longest = longest_source(model, told)
    how = options.get("handle_long_generation")
    if how not in (None, "hole"):
        raise ConfigError(f"handle_long_generation must be hole; got {str(how)[:40]}")
    cuts = options.get("truncation") is not None and truncates(options["truncation"])
    if longest is None or not (cuts or how):
        return list(prompts)
    most = longest
    if how is not None and wanted.most is None:
        most = longest - wanted.search.max_length
    if most < 1:
        raise ConfigError(
            f"max_new_tokens must leave room for a prompt among the {longest} tokens of the model; "
            f"got {wanted.search.max_length}"
        )
    own = coder(model.source_tokenizer, part)
    return [_cut(own.encode(p), most, own, p, from_end=how is not None) for p in prompts]


def _cut(tokens: Sequence[int], most: int, own: Any, prompt: str, *, from_end: bool) -> str:
    """The longest text of at most so many tokens at one end of a prompt."""
    if len(tokens) <= most:
        return prompt
    for count in range(most, 0, -1):
        text: str = own.decode(list(tokens[-count:] if from_end else tokens[:count]))
        if len(own.encode(text)) <= most:
            return text
    return ""
