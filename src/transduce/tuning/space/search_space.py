"""What a tuning tries: known options around the recipe's own values, or what a person names.

Every option is a list of values, so that a learning rate is tried in steps of a quarter and
layers one by one. The recipe's own value is always among them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from transduce.config import Config, parse_override
from transduce.config.wording import short
from transduce.errors import ConfigError, did_you_mean
from transduce.tuning.space.known_options import KNOWN_OPTIONS, option_of
from transduce.tuning.space.tuned_values import TunedOption, Value, with_values

__all__ = ["SearchSpace", "choose_space"]

_STEPS = 9  # values of a range that a person gives
_RATIO = 10.0  # of its ends, from which on a range is tried in equal ratios
_RANGE = re.compile(r"\s*([-+.\deE]+?)\s*\.\.\s*([-+.\deE]+)\s*")
_OF_A_BASE = ("width", "layers")  # what model.from has settled
# What changes the measure, or how long and where a trial trains: no trial could be compared
# with another.
_FIXED = ("name", "data", "evaluation", "engine", "model.from", "model.encoder_from")
_FIXED_OF_TRAINING = (
    *("max_minutes", "max_steps", "max_epochs", "patience", "metric", "seed", "device", "threads"),
    *("evaluate_every", "checkpoint_every", "dev_sentences", "tensorboard"),
)


@dataclass(frozen=True)
class SearchSpace:
    """``training``: what each trial has values of; ``search``: what is tried on a trained model."""

    training: tuple[TunedOption, ...]
    search: tuple[TunedOption, ...]

    @property
    def options(self) -> tuple[TunedOption, ...]:
        """All of them."""
        return self.training + self.search

    def to_dict(self) -> list[dict[str, Any]]:
        """Plain values: equal for tunings that try the same."""
        return [option.to_dict() for option in self.options]


def choose_space(recipe: Mapping[str, Any], config: Config, tried: Sequence[str]) -> SearchSpace:
    """``tried`` are names of known options, or ``KEY=VALUES``; none: all that are known.

    ``config`` is the recipe with all that follows from it. VALUES are a list, ``0,0.1,0.2``, or a
    range, ``1e-4..1e-2``; KEY is a known option's name or any of a recipe. Raises ConfigError.
    """
    if tried:
        options = [_asked(text, recipe, config) for text in tried]
    else:
        options = list(_usual(recipe, config))
    names = [option.name for option in options]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ConfigError(f"--try must name each option once; got {twice} twice")
    return SearchSpace(
        tuple(option for option in options if not option.of_search),
        tuple(option for option in options if option.of_search),
    )


def _usual(recipe: Mapping[str, Any], config: Config) -> Iterator[TunedOption]:
    for name, make in KNOWN_OPTIONS.items():
        if name in _OF_A_BASE and config.model.begins_with_another:
            continue
        if name == "ctc_weight" and not config.model.ctc:
            continue
        if name in ("beam", "length_normalization") and config.search.sample:
            continue
        option = _possible(make(config), recipe)
        if len(option.values) > 1:
            yield option


def _possible(option: TunedOption, recipe: Mapping[str, Any]) -> TunedOption:
    """Without the values that the recipe refuses."""
    own = option.values[option.own]
    kept = tuple(v for v in option.values if v is own or _refusal(v, recipe) is None)
    return replace(option, values=kept, own=kept.index(own))


def _refusal(value: Value, recipe: Mapping[str, Any]) -> str | None:
    try:
        Config.from_mapping(with_values(recipe, [value.given]))
    except ConfigError as error:
        return str(error)
    return None


# ---------------------------------------------------------------- what a person names


def _asked(text: str, recipe: Mapping[str, Any], config: Config) -> TunedOption:
    name, equals, listed = text.partition("=")
    name = name.strip()
    if name in _OF_A_BASE and config.model.begins_with_another:
        key = "model.encoder_from" if config.model.from_ is None else "model.from"
        raise ConfigError(f"--try must not name {name} where {key} is given, which has its own")
    if name in KNOWN_OPTIONS and not equals:
        option = _possible(KNOWN_OPTIONS[name](config), recipe)
        if len(option.values) < 2:
            raise ConfigError(f"--try {name} must have another value than the recipe's; got none")
        return option
    if not equals or (name not in KNOWN_OPTIONS and "." not in name):
        raise ConfigError(
            f"--try must be one of {', '.join(KNOWN_OPTIONS)}, or KEY=VALUES as in "
            f"training.weight_decay=0..0.1; got {short(text)}{did_you_mean(name, KNOWN_OPTIONS)}"
        )
    return _named(name, _values(name, listed), recipe, config)


def _named(
    name: str, values: Sequence[Any], recipe: Mapping[str, Any], config: Config
) -> TunedOption:
    """An option with the values that a person gave, each of which the recipe must take."""
    known = KNOWN_OPTIONS.get(name)
    if known is None:
        _require_free(name, config)
        options = [option_of(name, name, _own(config, name), values)]
    else:
        keys = known(config).keys
        if name == "width":
            keys = ("model.encoder.width", "model.decoder.width")
        own = known(config).values[known(config).own].shown
        alike = option_of(name, keys[0], own, values)
        given = tuple(
            Value(v.shown, dict.fromkeys(keys, v.shown) if v.given else {}) for v in alike.values
        )
        options = [replace(alike, values=given)]
    for value in options[0].values:
        if (reason := _refusal(value, recipe)) is not None:
            raise ConfigError(f"--try {name}: {reason}")
    if len(options[0].values) < 2:
        raise ConfigError(f"--try {name} must have another value than the recipe's; got none")
    return options[0]


def _require_free(key: str, config: Config) -> None:
    section, _, inner = key.partition(".")
    if (
        section in _FIXED
        or key in _FIXED
        or (section == "training" and inner in _FIXED_OF_TRAINING)
    ):
        raise ConfigError(
            "--try must name an option of the model, its tokenizers, training or search; got "
            f"{key}, which is the same for all trials"
        )
    if section == "tokenizer" and config.training.metric in ("loss", "token_accuracy"):
        raise ConfigError(
            f"training.metric must count right answers to try {key}; got {config.training.metric}, "
            "which other symbols change"
        )


def _own(config: Config, key: str) -> Any:
    """The recipe's value of a dotted key. Raises ConfigError where there is none of the name."""
    values: Any = config.model_dump(mode="json", by_alias=True)
    for name in key.split("."):
        if not isinstance(values, Mapping) or name not in values:
            config.updated({key: 0})  # which says what is wrong with it
            raise ConfigError(f"--try must name a key of the recipe; got {key}")
        values = values[name]
    if isinstance(values, Mapping | list):
        raise ConfigError(f"--try must name a key with one value; got {key}, which has several")
    return values


def _values(name: str, text: str) -> list[Any]:
    """``0..0.5`` or ``a,b,c``. Raises ConfigError."""
    if match := _RANGE.fullmatch(text):
        low, high = (parse_override(f"{name}={end}")[1] for end in match.groups())
        ends = [_number(end) for end in (low, high)]
        if None not in ends and ends[0] < ends[1]:
            return _between(*ends)
        raise ConfigError(f"--try {name} must have a range LOW..HIGH of numbers; got {short(text)}")
    values = [parse_override(f"{name}={each}")[1] for each in text.split(",")]
    values = [value if (found := _number(value)) is None else found for value in values]
    if not text.strip() or any(value is None or isinstance(value, dict | list) for value in values):
        raise ConfigError(
            f"--try {name} must have values, as in A,B,C or LOW..HIGH; got {short(text)}"
        )
    return values


def _number(value: Any) -> Any:
    """YAML takes 1e-4 for a text."""
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return None
    return value if type(value) in (int, float) else None


def _between(low: Any, high: Any) -> list[Any]:
    """Values from one end to the other, in equal ratios where the ends are far from each other."""
    whole = type(low) is int and type(high) is int
    steps = min(_STEPS, high - low + 1) if whole else _STEPS
    if low > 0 and high / low >= _RATIO:
        between = [low * (high / low) ** (step / (steps - 1)) for step in range(steps)]
    else:
        between = [low + (high - low) * step / (steps - 1) for step in range(steps)]
    if whole:
        return list(dict.fromkeys(round(value) for value in between))
    return [float(f"{value:.3g}") for value in between]
