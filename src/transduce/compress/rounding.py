"""Which weights of a model are rounded, and into what."""

from __future__ import annotations

from torch import Tensor

from transduce.compress.groups import Int4Groups
from transduce.compress.halves import Halves
from transduce.compress.rows import Int8Rows
from transduce.compress.shrunk import Shrunk, StoredNumbers
from transduce.config import WeightNumber

__all__ = ["is_rounded", "shrunk"]

_LEAST_ROWS, _LEAST_WIDTH = 2, 8


def is_rounded(tensor: Tensor) -> bool:
    """Whether a weight is rounded: a matrix is, of rows that are worth a scale each.

    Biases and norms stay what they are, and so does what has a single row: a gate's logit, on which
    much hangs.
    """
    if not tensor.is_floating_point() or tensor.ndim < 2 or len(tensor) < _LEAST_ROWS:
        return False
    return tensor[0].numel() >= _LEAST_WIDTH


def shrunk(tensor: Tensor, number: WeightNumber) -> Tensor:
    """A weight rounded into ``number``, or as it was where it is not to be rounded."""
    if number == "float32" or not is_rounded(tensor):
        return tensor
    return Shrunk(_numbers(tensor.detach().float(), number))


def _numbers(floats: Tensor, number: WeightNumber) -> StoredNumbers:
    match number:
        case "int8":
            return Int8Rows.of(floats)
        case "int4":
            return Int4Groups.of(floats)
    return Halves.of(floats)
