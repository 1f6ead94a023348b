"""What suits sources with two inputs."""

from __future__ import annotations

from transduce.config.agreement.refusals import refuse
from transduce.config.audio import AudioConfig
from transduce.config.data import DataConfig
from transduce.config.model import ModelConfig, TransformerOptions
from transduce.config.search import SearchConfig
from transduce.config.training import TrainingConfig
from transduce.errors import ConfigError

__all__ = ["refuse_odd_inputs"]


def refuse_odd_inputs(
    data: DataConfig, model: ModelConfig, training: TrainingConfig, search: SearchConfig
) -> None:
    """What a source with two inputs cannot have, and an encoder of a second without one.

    Raises ConfigError.
    """
    if data.beside is None:
        if model.beside is not None:
            raise ConfigError("model.beside must be none where data.beside is none; got an encoder")
        return
    if model.beside is None:
        raise ConfigError("model.beside must be given where data.beside is; got none")
    frontend, kind = model.beside.frontend.kind, data.beside.kind
    if (frontend == "embedding") != (kind == "text"):
        wanted = "embedding" if kind == "text" else "one for frames"
        raise ConfigError(
            f"model.beside.frontend.kind must be {wanted} where data.beside is {kind}; "
            f"got {frontend}"
        )
    columns = data.source if isinstance(data.source, list) else [data.source]
    plain = all(isinstance(column, int | str) for column in columns)
    learned = any(
        isinstance(encoder, TransformerOptions) and encoder.positions == "learned"
        for encoder in (model.encoder, model.beside.encoder)
    )
    refused = (
        ("data.input", data.input.kind == "text", "audio or image (a text goes into data.beside)"),
        ("data.source", len(columns) != 2 or not plain, "two columns, such as [0, 1],"),
        ("data.target", data.target in columns, "another column than those of data.source"),
        ("data.parts", data.parts is not None, "none"),
        ("data.source_prefix", bool(data.source_prefix), "empty"),
        (
            "cut_at",
            any(isinstance(one, AudioConfig) and one.cut_at is not None for one in data.inputs),
            "none in data.input and data.beside",
        ),
        ("model.from", model.from_ is not None, "none"),
        ("model.copy", model.copy_source, "false"),
        ("model.ctc", model.ctc, "false"),
        ("model.encoder.positions", learned, "of another kind than learned, in model.beside too,"),
        ("search.max_source_length", search.max_source_length is not None, "none"),
        ("training.mixup_weight", training.mixup_weight > 0, "0"),
    )
    refuse(refused, "data.beside is given")
