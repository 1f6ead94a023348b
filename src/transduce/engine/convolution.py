"""Convolutions over time as native products, one program each."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from transduce.engine.program import Program
from transduce.engine.weights import Number
from transduce.kernels.library import Library
from transduce.modules.frontend import ConvolutionFrontend

__all__ = ["NativeConvolutions"]


class NativeConvolutions:
    """A :class:`ConvolutionFrontend`: ``GELU(W x + b)`` of the frames that each place looks at."""

    def __init__(self, library: Library, number: Number, frontend: ConvolutionFrontend) -> None:
        self.width = frontend.width
        self._layers = [
            _Convolution(library, number, layer)
            for layer in frontend.layers
            if isinstance(layer, nn.Conv1d)
        ]

    def __call__(self, frames: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """``[B, S, F]`` to ``[B, S', E]`` and lengths shorter by each stride.

        What stands beyond the lengths means nothing.
        """
        vectors = frames
        for layer in self._layers:
            vectors, lengths = layer(vectors, lengths)
        return vectors, lengths


class _Convolution:
    def __init__(self, library: Library, number: Number, layer: nn.Conv1d) -> None:
        self._stride, kernel = layer.stride[0], layer.kernel_size[0]
        self._width = layer.out_channels
        program = self._program = Program(library, number)
        seen, out = program.buffer(kernel * layer.in_channels), program.buffer(self._width)
        program.windows(
            "frames", seen, counts="counts", room="room", kernel=kernel, stride=self._stride
        )
        # A place's frames stand one after the other, each with all its channels.
        weight = layer.weight.detach().transpose(1, 2).flatten(1)
        program.linear(seen, out, weight, layer.bias, activation="gelu")
        program.put(out, "vectors", stride=self._width)

    def __call__(self, frames: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        B, S, _ = frames.shape
        places = (S - 1) // self._stride + 1
        vectors = torch.empty(B, places, self._width)
        of_sentences = {
            "frames": frames.float().contiguous(),
            "counts": lengths.contiguous(),
            "vectors": vectors,
        }
        self._program.run_sources(of_sentences, {"room": torch.tensor([S])}, places)
        return vectors, (lengths - 1).div(self._stride, rounding_mode="floor") + 1
