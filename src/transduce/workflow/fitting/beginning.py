"""What a run begins with: its data alone, another model, or the symbols of a teacher."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from transduce.config import Config
from transduce.errors import ConfigError
from transduce.workflow.corpora.survey import Tokenizers
from transduce.workflow.fitting.continuing import FromEncoder, FromModel, require_same_input
from transduce.workflow.trained import TrainedModel

__all__ = ["Beginning", "FromData", "LearntFrom", "choose_beginning", "whole_recipe"]

_SIDES = ("encoder", "decoder")


@dataclass(frozen=True, slots=True)
class LearntFrom:
    """The models that a recipe names, read: ``base`` by ``model.from``, ``teachers`` by
    ``training.teacher``, ``encoder`` by ``model.encoder_from``.
    """

    base: TrainedModel | None = None
    teachers: tuple[TrainedModel, ...] = ()
    encoder: TrainedModel | None = None


class Beginning(Protocol):
    """Where config, symbols and weights of a new run come from."""

    @property
    def learns(self) -> bool:
        """Whether the data may bring new symbols."""
        ...

    def config(self, config: Config) -> Config:
        """The whole recipe. Raises ConfigError where it says what is not its to say."""
        ...

    def tokenizers(self, config: Config, learn: Tokenizers | None) -> Tokenizers:
        """Those of the run; ``learn`` is what the data gave, None where nothing was learnt."""
        ...

    def fill(self, trained: TrainedModel) -> list[str]:
        """Give a fresh model its first weights; lines for who waits, where not all are taken.

        Raises ModelError where they do not fit.
        """
        ...

    def grown(self, trained: TrainedModel) -> bool:
        """Whether the model has symbols whose weights are new among others that are not."""
        ...


class FromData:
    """A run begins with nothing: symbols are learnt from the data, weights are drawn."""

    learns = True

    def config(self, config: Config) -> Config:
        """As it is."""
        return config

    def tokenizers(self, config: Config, learn: Tokenizers | None) -> Tokenizers:
        """As they were learnt."""
        if learn is None:
            raise ValueError("tokenizers must have been learnt")
        return learn

    def fill(self, trained: TrainedModel) -> list[str]:
        """Its weights are drawn already."""
        return []

    def grown(self, trained: TrainedModel) -> bool:
        """False: all its symbols are new."""
        return False


def choose_beginning(config: Config, learnt_from: LearntFrom) -> Beginning:
    """What a run of this recipe begins with. Raises ConfigError where the models do not fit it."""
    base, teachers = learnt_from.base, learnt_from.teachers
    if len(config.training.teacher) != len(teachers):
        raise ConfigError(
            f"training.teacher must have been read; got {len(teachers)} of "
            f"{len(config.training.teacher)} models"
        )
    if config.model.new_symbols and base is None:
        raise ConfigError(
            f"model.new_symbols must be none without model.from; got {config.model.new_symbols[0]}"
        )
    encoder, named = learnt_from.encoder, config.model.encoder_from
    if (encoder is None) != (named is None):
        raise ConfigError(f"model.encoder_from must have been read; got {named}")
    if encoder is not None:
        for key, other in (("model.from", base), ("training.teacher", teachers)):
            if other:
                raise ConfigError(f"model.encoder_from must be none with {key}; got {named}")
        return FromEncoder(encoder)
    if base is not None:
        return FromModel(base)
    if config.model.from_ is not None:
        raise ConfigError(f"model.from must have been read; got {config.model.from_}")
    return FromTeacher(teachers[0]) if teachers else FromData()


def whole_recipe(config: Config, beginning: Beginning) -> Config:
    """What a run learns by: the recipe with what its beginning settles.

    ``training.dropout`` takes the place of the rates of encoder and decoder, also where another
    model brought them. Raises ConfigError as :meth:`Beginning.config` does.
    """
    config = beginning.config(config)
    rate = config.training.dropout
    if rate is None:
        return config
    model = config.model
    changed = {side: getattr(model, side).model_copy(update={"dropout": rate}) for side in _SIDES}
    return config.model_copy(update={"model": model.model_copy(update=changed)})


class FromTeacher:
    """A run begins with the symbols of a model that it learns from, and weights of its own; one
    kind of ``Beginning``.
    """

    learns = False

    def __init__(self, teacher: TrainedModel) -> None:
        self._teacher = teacher

    def config(self, config: Config) -> Config:
        """A recipe with the teacher's tokenizers, and its way to read recordings and pictures.

        Raises ConfigError where the recipe says another.
        """
        teacher = self._teacher.config
        require_same_input(config, teacher, "training.teacher")
        for key in ("source", "target", "shared"):
            own = getattr(config.tokenizer, key)
            said = key in config.tokenizer.model_fields_set
            if said and own != getattr(teacher.tokenizer, key):
                raise ConfigError(
                    f"tokenizer.{key} must be that of training.teacher: leave it out, or say "
                    "the same"
                )
        data = config.data.model_copy(update={"input": teacher.data.input})
        return config.model_copy(update={"tokenizer": teacher.tokenizer, "data": data})

    def tokenizers(self, config: Config, learn: Tokenizers | None) -> Tokenizers:
        """The teacher's."""
        return self._teacher.source, self._teacher.target_tokenizer

    def fill(self, trained: TrainedModel) -> list[str]:
        """Its weights are drawn already."""
        return []

    def grown(self, trained: TrainedModel) -> bool:
        """False: all its weights are new."""
        return False
