"""NumPy's arrays as the kernels take them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["HeldArray"]


@dataclass(frozen=True, slots=True)
class HeldArray:
    """An array in the words of a tensor of torch; numbers of bfloat16 are uint16."""

    array: NDArray[Any]

    @property
    def nbytes(self) -> int:
        """Bytes of all numbers."""
        return self.array.nbytes

    @property
    def is_cpu(self) -> bool:
        """Always."""
        return True

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the array."""
        return self.array.shape

    def data_ptr(self) -> int:
        """Where the numbers begin."""
        where: int = self.array.__array_interface__["data"][0]
        return where

    def is_contiguous(self) -> bool:
        """Whether they stand row by row without gaps."""
        return self.array.flags.c_contiguous

    def numel(self) -> int:
        """How many there are."""
        return self.array.size

    def element_size(self) -> int:
        """Bytes of one."""
        return self.array.itemsize

    def __len__(self) -> int:
        return len(self.array)

    def __getitem__(self, places: Any, /) -> HeldArray:
        """Some entries of the first dimension, not copied."""
        return HeldArray(np.asarray(self.array[places]))
