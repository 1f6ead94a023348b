"""Weights on disk: one safetensors file, tied weights stored once."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from transduce.errors import ModelError
from transduce.files import named, replacing

__all__ = [
    "as_system_error",
    "load_weights",
    "named_weights",
    "save_weights",
    "set_weights",
    "write_weights",
]


def named_weights(model: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers by name; of tied ones only the first name."""
    kept: dict[str, Tensor] = dict(model.named_parameters())  # each tied parameter comes once
    kept.update(model.named_buffers())
    return {name: tensor.detach() for name, tensor in kept.items()}


def set_weights(model: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Copy weights into a model in place. Raises ModelError where names or shapes differ."""
    own = named_weights(model)
    if missing := sorted(own.keys() - weights.keys()):
        raise ModelError(f"weights must hold {missing[0]}; got {len(weights)} others")
    if unknown := sorted(weights.keys() - own.keys()):
        raise ModelError(f"weights must fit the model's config; got an unknown {unknown[0]}")
    for name, tensor in own.items():
        if tensor.shape != weights[name].shape:
            raise ModelError(
                f"{name} must be of shape {list(tensor.shape)}; got {list(weights[name].shape)}"
            )
        tensor.copy_(weights[name])


def save_weights(weights: Mapping[str, Tensor], path: str | Path) -> None:
    """Write a safetensors file in one step. Raises OSError."""
    with replacing(path) as aside:
        write_weights(weights, aside)


def write_weights(weights: Mapping[str, Tensor], path: Path) -> None:
    """Write a safetensors file, to a place where nobody reads it yet. Raises OSError."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}
    with named(path):
        try:
            save_file(tensors, path, metadata={"format": "pt"})
        except SafetensorError as error:
            raise as_system_error(error, path) from None


def as_system_error(error: Exception, path: Path) -> OSError:
    """What the library says in words of its own when a file cannot be written."""
    number = re.search(r"\(os error (\d+)\)", str(error))
    if number is None:
        return OSError(errno.EIO, str(error), str(path))
    return OSError(int(number[1]), os.strerror(int(number[1])), str(path))


def load_weights(model: nn.Module, path: str | Path) -> None:
    """Read a safetensors file into a model. Raises ModelError naming the file."""
    try:
        set_weights(model, load_file(path))
    except (OSError, SafetensorError) as error:
        raise ModelError(
            f"{path}: weights must be a readable safetensors file; got {error}"
        ) from None
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from None
