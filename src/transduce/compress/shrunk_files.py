"""Shrunk weights in a file: what each tensor and its scale must be, and how they are read."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Protocol

import torch
from torch import Tensor

from transduce.compress.groups import GROUP, Int4Groups
from transduce.compress.halves import Halves
from transduce.compress.rounding import is_rounded
from transduce.compress.rows import Int8Rows, Readable
from transduce.compress.shrunk import Shrunk
from transduce.config import WeightNumber
from transduce.errors import ModelError

__all__ = ["SCALE", "read_shrunk", "require_kind", "require_shrunk"]

SCALE = ".scale"  # behind the name of the tensor that it belongs to

_Kind = tuple[torch.dtype, tuple[int, ...]]


class _Tensors(Protocol):
    def read(self, name: str) -> Tensor: ...

    def later(self, name: str) -> Readable: ...


def require_shrunk(
    own: Mapping[str, Tensor], given: Mapping[str, _Kind], number: WeightNumber
) -> dict[str, _Kind]:
    """What is left of ``given`` for the weights that are floats.

    ``own`` are the tensors of the model, of its shapes. Raises ModelError where a shrunk tensor or
    its scale is missing, or of another type or shape than ``number`` asks for.
    """
    left = dict(given)
    for name, tensor in own.items():
        if not is_rounded(tensor):
            continue
        for behind, (kind, shape) in _expected(tuple(tensor.shape), number).items():
            place = name + behind
            if place not in left:
                raise ModelError(f"weights must hold {place}, as weights: {number} says")
            require_kind(place, left.pop(place), shape, kind)
    return left


def read_shrunk(name: str, shape: tuple[int, ...], file: _Tensors, number: WeightNumber) -> Shrunk:
    """One tensor of a file that :func:`require_shrunk` has seen. Raises ModelError for a scale
    that is not finite or not above zero.
    """
    if number == "bfloat16":
        return Shrunk(Halves(file.later(name)))
    scales = file.read(name + SCALE)
    wrong = scales[~((scales > 0) & scales.isfinite())]
    if len(wrong):
        raise ModelError(
            f"{name}{SCALE} must hold finite numbers above 0; got {float(wrong.flatten()[0])}"
        )
    if number == "int8":
        return Shrunk(Int8Rows(file.later(name), scales))
    return Shrunk(Int4Groups(shape, file.later(name), scales))


def _expected(shape: tuple[int, ...], number: WeightNumber) -> dict[str, _Kind]:
    """Types and shapes by what follows the name."""
    rows, width = shape[0], math.prod(shape[1:])
    match number:
        case "int8":
            return {"": (torch.int8, shape), SCALE: (torch.float32, (rows,))}
        case "int4":
            packed, groups = (rows, -(-width // 2)), (rows, -(-width // GROUP))
            return {"": (torch.uint8, packed), SCALE: (torch.float16, groups)}
    return {"": (torch.bfloat16, shape)}


def require_kind(
    name: str,
    found: _Kind,
    shape: tuple[int, ...],
    kind: torch.dtype,
    known: Collection[torch.dtype] = (),
) -> None:
    """Raise ModelError for another shape, or a type that is neither ``kind`` nor ``known``."""
    if found[1] != shape:
        raise ModelError(f"{name} must be of shape {list(shape)}; got {list(found[1])}")
    if found[0] != kind and found[0] not in known:
        said, got = (str(each).removeprefix("torch.") for each in (kind, found[0]))
        raise ModelError(f"{name} must be of type {said}; got {got}")
