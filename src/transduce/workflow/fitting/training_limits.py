"""What a model asks of memory to be trained, told before it asks."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import torch

from transduce.config import Config, DecoderConfig, EncoderConfig
from transduce.errors import ConfigError
from transduce.models.blueprint import blueprint
from transduce.workflow.corpora.survey import Tokenizers
from transduce.workflow.predicting.source_limits import available_memory
from transduce.workflow.trained import TrainedModel

__all__ = ["refuse_large_model"]

Stack = TypeVar("Stack", EncoderConfig, DecoderConfig)

_FLOAT = 4  # bytes
_KEPT = 4  # numbers for each parameter: itself, its gradient, two moments of Adam
_MOST_TENSORS = 100_000
_FEW_LAYERS = 16


def refuse_large_model(config: Config, tokenizers: Tokenizers, device: torch.device) -> None:
    """Raise ConfigError where a model and what training keeps of it do not fit into memory."""
    few = _of_fewer_layers(config)
    # Of a thousand layers a few may tell.
    for built in (config,) if few is config else (few, config):
        with blueprint(_MOST_TENSORS, Path("model")):
            model = TrainedModel.fresh(built, *tokenizers).model
        count = sum(parameter.numel() for parameter in model.parameters())
        needed, free = _FLOAT * _KEPT * count, available_memory(device)
        if free is not None and needed > free:
            more = "" if built is config else "over "
            raise ConfigError(
                f"model must fit into memory to be trained; got {more}{count:,} parameters, which "
                f"take {needed / 1e9:,.1f} GB with their gradients "
                f"and moments where {free / 1e9:,.1f} GB are free: lower the layers and widths "
                "of the section model, or the sizes of the vocabularies"
            )


def _of_fewer_layers(config: Config) -> Config:
    encoder, decoder = config.model.encoder, config.model.decoder
    if max(encoder.layers, decoder.layers) <= _FEW_LAYERS:
        return config
    stacks = {"encoder": _lowered(encoder), "decoder": _lowered(decoder)}
    return config.model_copy(update={"model": config.model.model_copy(update=stacks)})


def _lowered(stack: Stack) -> Stack:
    """Its first layers, with what lists say of them."""
    layers = min(stack.layers, _FEW_LAYERS)
    cut = {
        name: value[:layers]
        for name in type(stack).model_fields
        if isinstance(value := getattr(stack, name), tuple)
    }
    return stack.model_copy(update={"layers": layers, **cut})
