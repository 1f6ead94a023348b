"""An affine map of every position of a batch, as a program of its own."""

from __future__ import annotations

import torch
from torch import Tensor

from transduce.engine.programs.program import Program
from transduce.kernels.library import Library
from transduce.kernels.running.runner import Runner

__all__ = ["NativeAffine"]


class NativeAffine:
    """``W x + b`` in float32.

    Unlike PyTorch's its numbers are the same, bit for bit, whatever stands beside a position.
    """

    def __init__(self, library: Library, weight: Tensor, bias: Tensor | None) -> None:
        self.width, inputs = weight.shape
        program = Program(library, "float32")
        vectors, out = program.buffer(inputs), program.buffer(self.width)
        program.fetch("vectors", vectors, stride=inputs)
        program.linear(vectors, out, weight, bias)
        program.put(out, "out", stride=self.width)
        self._runner = Runner(program)

    def __call__(self, vectors: Tensor) -> Tensor:
        """``[B, S, E]`` to float32 ``[B, S, D]``."""
        B, S, _ = vectors.shape
        out = torch.empty(B, S, self.width)
        self._runner.run_sources({"vectors": vectors.float().contiguous(), "out": out}, {}, S)
        return out
