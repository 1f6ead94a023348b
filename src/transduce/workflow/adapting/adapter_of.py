"""Adapters and the directories of the models that they are for."""

from __future__ import annotations

from pathlib import Path

from transduce.adapters import read_adapter
from transduce.errors import ModelError
from transduce.files import digest, place
from transduce.models.seq2seq import Seq2Seq
from transduce.workflow.adapting.learning import adapted
from transduce.workflow.model_folder import WEIGHTS
from transduce.workflow.trained import TrainedModel

__all__ = ["checksum_of_base", "require_adaptable", "with_adapter"]


def with_adapter(trained: TrainedModel, folder: Path, path: Path) -> TrainedModel:
    """The model of a directory with the adapter of a file; ``trained`` stays as it is.

    Raises ModelError where the file is damaged, or of another model.
    """
    model = require_adaptable(trained)
    return adapted(trained, read_adapter(path, model, checksum_of_base(folder)))


def checksum_of_base(folder: Path) -> str:
    """The SHA-256 of a model's file of weights. Raises ModelError."""
    try:
        return digest(place(folder, WEIGHTS))
    except OSError as error:
        raise ModelError(f"{folder / WEIGHTS} must be readable; {error.strerror}") from None


def require_adaptable(trained: TrainedModel) -> Seq2Seq:
    """The network. Raises ModelError where it is none of ours."""
    if not isinstance(trained.model, Seq2Seq):
        raise ModelError("model must be of a family with modules of ours to be adapted")
    return trained.model
