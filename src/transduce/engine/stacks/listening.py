"""The second output on the encoder, connectionist temporal classification, in native numbers."""

from __future__ import annotations

from torch import Tensor

from transduce.engine.programs.affine import NativeAffine
from transduce.interfaces import Memory
from transduce.kernels.library import Library
from transduce.models.ctc import CTCOutput, ctc_log_probs

__all__ = ["NativeCTC"]


class NativeCTC:
    """A :class:`CTCOutput` in float32."""

    def __init__(self, library: Library, output: CTCOutput) -> None:
        self._positions = output.positions
        self._project = NativeAffine(library, output.project.weight, output.project.bias)

    def __call__(self, memory: Memory) -> Tensor:
        """Log-probabilities, float32 ``[B, S·K, V]``; at padding the blank is certain."""
        return ctc_log_probs(self._project(memory.vectors), memory.mask, self._positions)
