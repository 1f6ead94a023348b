"""A run that learns from a teacher, whose symbols are the teacher's."""

from __future__ import annotations

from transduce.config import Config
from transduce.errors import ConfigError
from transduce.workflow.corpora.survey import Tokenizers
from transduce.workflow.fitting.continuing import require_same_input
from transduce.workflow.trained import TrainedModel

__all__ = ["FromTeacher"]


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

    def fill(self, trained: TrainedModel) -> None:
        """Its weights are drawn already."""

    def grown(self, trained: TrainedModel) -> bool:
        """False: all its weights are new."""
        return False
