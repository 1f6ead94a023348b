"""Weights as they will be stored, while a model learns: rounding that is emulated.

A step is computed with rounded weights, and what it says is done to the weights themselves: the
gradient goes through the rounding as if it were not there (Bengio et al. 2013, "Estimating or
propagating gradients through stochastic neurons", section 4; Jacob et al. 2018, "Quantization and
training of neural networks", section 3). So weights come to stand where rounding costs little.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from transduce.compress.rounding import is_rounded, shrunk
from transduce.compress.shrunk import floats_of
from transduce.config.training import TrainedNumber

__all__ = ["EmulatedRounding"]


class EmulatedRounding:
    """What ``transduce shrink`` would make of a model's weights, for as long as it is asked for."""

    def __init__(self, weights: Iterable[Tensor], number: TrainedNumber) -> None:
        """``weights`` are the model's own tensors, each once."""
        self._number: TrainedNumber = number
        self._live = [w for w in weights if is_rounded(w)] if number != "float32" else []

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Within the block the model has rounded weights; after it its own again, bit by bit."""
        if not self._live:
            yield
            return
        with torch.no_grad():
            own = [tensor.clone() for tensor in self._live]
            for tensor in self._live:
                tensor.copy_(floats_of(shrunk(tensor, self._number)))
        try:
            yield
        finally:
            with torch.no_grad():
                torch._foreach_copy_(self._live, own)
