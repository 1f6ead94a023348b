"""Memory for weights on their way into the kernels, the same for one matrix after another."""

from __future__ import annotations

import math
import mmap
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

__all__ = ["Room", "Scratch", "kept"]

Room = Callable[[tuple[int, ...], DTypeLike], NDArray[Any]]  # gives an array to be filled

_ALIGNED = 64  # bytes


def kept(shape: tuple[int, ...], kind: DTypeLike) -> NDArray[Any]:
    """An array of its own."""
    return np.empty(shape, kind)


class Scratch:
    """Arrays that last until :meth:`clear`.

    A heap would keep what was freed, in holes between what stays.
    """

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, _ALIGNED)
        self._size, self._used = _ALIGNED, 0

    def clear(self) -> None:
        """All arrays that were given are free: nobody reads them any more."""
        self._used = 0

    def __call__(self, shape: tuple[int, ...], kind: DTypeLike) -> NDArray[Any]:
        """An array to be filled."""
        number, count = np.dtype(kind), math.prod(shape)
        size = count * number.itemsize + -count * number.itemsize % _ALIGNED
        if self._used + size > self._size:  # arrays that were given keep the old one
            self._size, self._used = max(size, self._size), 0
            self._memory = mmap.mmap(-1, self._size)
        array = np.frombuffer(self._memory, number, count, self._used).reshape(shape)
        self._used += size
        return array
