"""Weights on disk: one safetensors file, tied weights stored once."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor, nn

from transduce.compress.rounding import is_rounded
from transduce.compress.shrunk import Shrunk, floats_of
from transduce.compress.shrunk_files import read_shrunk, require_kind, require_shrunk
from transduce.config import WeightNumber
from transduce.errors import ModelError, naming
from transduce.files import named, replacing
from transduce.untrusted.tensors import TensorFile, require_finite

__all__ = [
    "adopt_weights",
    "as_system_error",
    "count_by_module",
    "load_weights",
    "named_weights",
    "read_weights",
    "restore_floats",
    "save_weights",
    "set_weights",
    "write_weights",
]

_FLOATS = (torch.float32, torch.float16, torch.bfloat16, torch.float64)


def named_weights(model: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers by name; of tied ones only the first name."""
    kept: dict[str, Tensor] = dict(model.named_parameters())  # each tied parameter comes once
    kept.update(model.named_buffers())
    return {name: tensor.detach() for name, tensor in kept.items()}


def count_by_module(model: nn.Module) -> dict[str, int]:
    """Parameters by the first word of their names; tied ones count where they come first."""
    counts: dict[str, int] = {}
    for name, parameter in model.named_parameters():
        module = name.split(".")[0]
        counts[module] = counts.get(module, 0) + parameter.numel()
    return counts


def set_weights(model: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Copy weights into a model in place; one on the meta device takes the tensors themselves.

    Raises ModelError where names, shapes or types differ, or a number is none or infinite.
    """
    own = named_weights(model)
    _require_alike(own, {name: (w.dtype, tuple(w.shape)) for name, w in weights.items()})
    given = {name: weights[name].to(tensor.dtype) for name, tensor in own.items()}
    for name, tensor in given.items():
        require_finite(name, tensor)
    if any(tensor.is_meta for tensor in own.values()):
        adopt_weights(model, given)
        return
    for name, tensor in own.items():
        tensor.copy_(given[name])


def save_weights(weights: Mapping[str, Tensor], path: str | Path) -> None:
    """Write a safetensors file in one step. Raises OSError."""
    with replacing(path) as aside:
        write_weights(weights, aside)


def write_weights(
    weights: Mapping[str, Tensor], path: Path, metadata: Mapping[str, str] | None = None
) -> None:
    """Write a safetensors file, with ``metadata`` in its header, to a place where nobody reads it
    yet. Raises OSError.
    """
    tensors = {
        name + behind: stored.detach().cpu().contiguous()
        for name, tensor in weights.items()
        for behind, stored in _stored(tensor).items()
    }
    with named(path):
        try:
            save_file(tensors, path, metadata={"format": "pt", **(metadata or {})})
        except SafetensorError as error:
            raise as_system_error(error, path) from None


def _stored(tensor: Tensor) -> dict[str, Tensor]:
    """What a file holds of a tensor, by what follows its name."""
    return tensor.numbers.tensors() if isinstance(tensor, Shrunk) else {"": tensor}


def restore_floats(model: nn.Module) -> None:
    """Give a model floats where its weights were shrunk: such learn nothing and cannot be moved."""
    weights = named_weights(model)
    if any(isinstance(weight, Shrunk) for weight in weights.values()):
        adopt_weights(model, {name: floats_of(weight) for name, weight in weights.items()})


def as_system_error(error: Exception, path: Path) -> OSError:
    """What the library says in words of its own when a file cannot be written."""
    number = re.search(r"\(os error (\d+)\)", str(error))
    if number is None:
        return OSError(errno.EIO, str(error), str(path))
    return OSError(int(number[1]), os.strerror(int(number[1])), str(path))


def load_weights(model: nn.Module, path: str | Path) -> None:
    """Read a safetensors file into a model. Raises ModelError naming the file."""
    with TensorFile(path) as file:
        read_weights(model, file)


def read_weights(model: nn.Module, file: TensorFile, number: WeightNumber = "float32") -> None:
    """Likewise from an open file; nothing is read of one that does not fit the model.

    ``number`` is what the file holds matrices in; of another than float32 they stay as they are
    stored, which only a model on the meta device takes.
    """
    with naming(file.path):
        own = named_weights(model)
        given = {name: (entry.type, entry.shape) for name, entry in file.entries.items()}
        if number == "float32":
            _require_alike(own, given)
            set_weights(model, {name: file.read(name) for name in given})
            return
        plain = {name: tensor for name, tensor in own.items() if not is_rounded(tensor)}
        _require_alike(plain, require_shrunk(own, given, number))
        weights = {
            name: file.read(name).to(tensor.dtype)
            if name in plain
            else read_shrunk(name, tuple(tensor.shape), file, number)
            for name, tensor in own.items()
        }
        for name in plain:
            require_finite(name, weights[name])
        adopt_weights(model, weights)


_Kind = tuple[torch.dtype, tuple[int, ...]]


def _require_alike(own: Mapping[str, Tensor], given: Mapping[str, _Kind]) -> None:
    """Raise ModelError where weights are others than a model's, by name, shape or type."""
    if missing := sorted(own.keys() - given.keys()):
        raise ModelError(f"weights must hold {missing[0]}; got {len(given)} others")
    if unknown := sorted(given.keys() - own.keys()):
        raise ModelError(f"weights must fit the model's config; got an unknown {unknown[0]}")
    for name, tensor in own.items():
        # of floats any but float8, which nobody reads back as the numbers that it was
        known = _FLOATS if tensor.is_floating_point() else ()
        require_kind(name, given[name], tuple(tensor.shape), tensor.dtype, known)


def adopt_weights(model: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Put tensors by name in the place of parameters and buffers, tied ones wherever they stand."""
    made: dict[Tensor, Tensor] = {}
    for name, parameter in model.named_parameters():
        made[parameter] = nn.Parameter(
            weights[name], parameter.requires_grad and not isinstance(weights[name], Shrunk)
        )
    made |= {buffer: weights[name] for name, buffer in model.named_buffers()}
    for module in model.modules():
        own = (
            *module.named_parameters(recurse=False, remove_duplicate=False),
            *module.named_buffers(recurse=False, remove_duplicate=False),
        )
        for name, tensor in own:
            setattr(module, name, made[tensor])
