"""A whole recipe: all sections, and how it is read."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, ValidationError, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from transduce.config.agreement.guessed_frames import refuse_odd_frames
from transduce.config.agreement.joined_sources import refuse_odd_inputs
from transduce.config.agreement.refusals import refuse
from transduce.config.agreement.unasked_options import refuse_unasked
from transduce.config.base import Bounds, Name, Section
from transduce.config.data import (
    DataConfig,
    SideConfig,
    TokenizerConfig,
    TokenizerKind,
    TokenizersConfig,
)
from transduce.config.model import ModelConfig
from transduce.config.presets import expand_preset
from transduce.config.search import NeighboursConfig, SearchConfig
from transduce.config.training import TrainingConfig
from transduce.config.wording import describe
from transduce.config.yaml import differences, parse_override, read_recipe, set_dotted
from transduce.errors import ConfigError
from transduce.metrics.known import METRICS
from transduce.metrics.metric import Targets

__all__ = [
    "Config",
    "EngineChoice",
    "EvaluationConfig",
    "WeightNumber",
    "load_config",
    "require_agreement",
    "require_one_input",
]

WeightNumber = Literal["float32", "bfloat16", "int8", "int4"]
EngineChoice = Literal["auto", "reference", "float32", "bfloat16", "int8", "int4"]


def _known(name: str) -> str:
    if name not in METRICS:
        expected = ", ".join(map(repr, METRICS))
        raise PydanticCustomError("literal_error", "must be a metric", {"expected": expected})
    return name


MetricName = Annotated[
    str, AfterValidator(_known), WithJsonSchema({"type": "string", "enum": list(METRICS)})
]


class EvaluationConfig(Section):
    """What is measured. None: what fits the target's tokenizer."""

    metrics: tuple[MetricName, ...] | None = None
    bleu_tokenizer: Literal["13a", "intl", "zh", "char", "none"] = "13a"
    confidence: Annotated[int, Bounds(ge=0, le=1_000_000)] = (
        1000  # dev sources that it is fitted on at the end; 0: none
    )


_SIDES: tuple[Literal["source", "target"], ...] = ("source", "target")


class Config(Section):
    """A whole recipe."""

    name: Name = "model"
    source: SideConfig = SideConfig()
    target: SideConfig = SideConfig()
    data: DataConfig = DataConfig()
    tokenizer: TokenizersConfig = TokenizersConfig()
    model: ModelConfig = ModelConfig()
    training: TrainingConfig = TrainingConfig()
    search: SearchConfig = SearchConfig()
    neighbours: NeighboursConfig = NeighboursConfig()
    evaluation: EvaluationConfig = EvaluationConfig()
    # What predicts: the fastest form that this machine has, the model itself, or named numbers.
    engine: EngineChoice = "auto"
    weights: WeightNumber = (
        "float32"  # what matrices are stored in; others `transduce shrink` makes
    )

    @model_validator(mode="after")
    def _agree(self) -> Config:
        own = [name for side in _SIDES for name in self.tokenizer_names(side) if name]
        if own and self.tokenizer.shared:
            raise ValueError(
                "tokenizer.shared must be false where parts have tokenizers of their own; got "
                f"true, and data.parts.{own[0]}.tokenizer"
            )
        return self

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> Config:
        """Check a nested mapping; raise ConfigError naming the first wrong key."""
        # a section with all its keys commented out is null in YAML: the defaults
        given = {k: v for k, v in values.items() if v is not None or k not in cls.model_fields}
        expanded = expand_preset(given)
        try:
            return cls.model_validate(expanded)
        except ValidationError as error:
            raise ConfigError(describe(error, cls, expanded)) from None

    @property
    def target_tokenizer(self) -> TokenizerConfig:
        """The options of the target's tokenizer, which may be the shared one."""
        return self.tokenizer.source if self.tokenizer.shared else self.tokenizer.target

    @property
    def target_kind(self) -> TokenizerKind:
        """The kind of tokenizer that the target has."""
        return self.target_tokenizer.kind

    @property
    def targets(self) -> Targets:
        """What the targets are, as their tokenizer has it: what is measured follows from it."""
        if self.target_kind == "whitespace":
            return "symbols"
        return "strings" if self.target_kind == "character" else "sentences"

    def tokenizer_names(self, side: Literal["source", "target"]) -> list[str]:
        """The parts with a tokenizer of their own on one side, first "" where any has none."""
        parts = self.data.parts or {}
        own = [name for name, part in parts.items() if getattr(part.tokenizer, side) is not None]
        return own if parts and len(own) == len(parts) else ["", *own]

    def for_part(self, name: str) -> Config:
        """The config with a part's own tokenizers in the place of the section's."""
        part = (self.data.parts or {}).get(name)
        if part is None:
            return self
        sides = {"source": part.tokenizer.source, "target": part.tokenizer.target}
        given = {side: options for side, options in sides.items() if options is not None}
        return self.model_copy(update={"tokenizer": self.tokenizer.model_copy(update=given)})

    def updated(self, overrides: Mapping[str, Any]) -> Config:
        """A copy with dotted keys replaced: ``{"training.max_minutes": 10}``.

        A new ``model.preset`` brings its own model and training settings; of
        the old preset's only those stay that were changed.
        """
        values = self.given()
        for key, value in overrides.items():
            set_dotted(values, key, value)
        config = Config.from_mapping(values)
        names = [key.removeprefix("search.") for key in overrides if key.startswith("search.")]
        if not names:
            return config
        return config.model_copy(update={"search": _effective(config.search, names)})

    def searching(self, options: Mapping[str, Any]) -> SearchConfig:
        """The search with some options replaced: ``{"beam": 4}``.

        Raises ConfigError, also for one that would do nothing. What the recipe says of a way to
        search that is now not taken (a temperature, without ``sample``) is forgotten.
        """
        if not options:
            return self.search
        values = {name: getattr(self.search, name) for name in SearchConfig.model_fields}
        try:
            search = SearchConfig.model_validate({**values, **options})
        except ValidationError:  # said as of a recipe
            return self.updated({f"search.{name}": of for name, of in options.items()}).search
        return _effective(search, options)

    def given(self) -> dict[str, Any]:
        """What must be written down to get this config again: all that is no default."""
        preset = {} if self.model.preset is None else {"preset": self.model.preset}
        base = Config.from_mapping({"model": preset}).model_dump(mode="json", by_alias=True)
        values = differences(self.model_dump(mode="json", by_alias=True), base)
        model = self.model
        if "frontend" in values.get("model", {}):
            values["model"]["frontend"]["kind"] = model.frontend.kind
        if preset:
            return {**values, "model": {**values.get("model", {}), **preset}}
        for side, config in (("encoder", model.encoder), ("decoder", model.decoder)):
            if side in values.get("model", {}):
                values["model"][side]["kind"] = config.kind
        return values

    def to_yaml(self) -> str:
        """The recipe as YAML, all options written out; reads back as an equal config."""
        values = self.model_dump(mode="json", by_alias=True)
        return yaml.safe_dump(values, sort_keys=False, allow_unicode=True)


def _effective(search: SearchConfig, given: Collection[str]) -> SearchConfig:
    """The search where all that was just ``given`` does something; the rest gives way to it."""
    if (reason := search.refusal_of_idle(given)) is not None:
        raise ConfigError(f"search.{reason}")
    return search.without_idle()


def require_agreement(config: Config) -> None:
    """Raise ConfigError where model, tokenizer or training do not suit ``data.input``.

    A model that goes on from another has that one's frontend.
    """
    refuse_unasked(config.training)
    if config.training.teacher and config.training.target_subword_sampling:
        raise ConfigError(
            "training.target_subword_sampling must be 0 with training.teacher, which tells of "
            f"targets as they are cut; got {config.training.target_subword_sampling:g}"
        )
    data, model, training = config.data, config.model, config.training
    refuse_odd_inputs(data, model, training, config.search)
    refuse_odd_frames(data, model, training)
    if config.training.teacher and config.training.denoising == "spans":
        raise ConfigError(
            "training.denoising must be none or infilling with training.teacher, which tells of "
            "whole targets; got spans"
        )
    kind, frontend = config.data.input.kind, config.model.frontend.kind
    known = config.model.from_ is None
    if kind == "text":
        if known and frontend != "embedding":
            raise ConfigError(
                f"model.frontend.kind must be embedding where data.input is text; got {frontend}"
            )
        return
    if known and frontend == "embedding":
        raise ConfigError(
            f"model.frontend.kind must be one for frames where data.input is {kind} "
            "(subsampling, convolution, linear, convolution2d, patches); got embedding"
        )
    refused = (
        ("tokenizer.shared", config.tokenizer.shared, "false"),
        ("training.tag_orders", config.training.tag_orders > 1, "1"),
        ("training.source_word_dropout", config.training.source_word_dropout > 0, "0"),
        ("training.switchout_temperature", config.training.switchout_temperature, "none"),
        ("training.source_subword_sampling", config.training.source_subword_sampling > 0, "0"),
        (
            "data.source",
            config.data.beside is None and not isinstance(config.data.source, int | str),
            "one column",
        ),
        (
            "training.denoising",
            config.training.denoising in ("infilling", "spans"),
            "none or frames",
        ),
        (
            "training.adversarial_symbols_weight",
            config.training.adversarial_symbols_weight > 0,
            "0",
        ),
        (
            "data.tags",
            config.data.parts is not None and config.data.tags in ("source", "both"),
            "target or none",
        ),
    )
    refuse(refused, f"data.input is {kind}")


def require_one_input(config: Config, what: str) -> None:
    """Raise ConfigError where a source has two inputs, which ``what`` cannot do anything with."""
    if config.data.beside is not None:
        raise ConfigError(
            f"{what} must be asked of a model whose source is one input; "
            "got one of two (data.beside)"
        )


def load_config(path: str | Path, overrides: Sequence[str] = ()) -> Config:
    """Read a recipe and apply ``KEY=VALUE`` overrides.

    Relative paths in the recipe are taken from the current folder. Raises
    ConfigError naming the file, line or key.
    """
    values = read_recipe(path)
    for override in overrides:
        set_dotted(values, *parse_override(override))
    try:
        config = Config.from_mapping(values)
        require_agreement(config)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None
    return config
