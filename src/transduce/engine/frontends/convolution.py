"""Convolutions over time, or over time and height, as native products: one program a layer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from transduce.engine.programs.affine import NativeAffine
from transduce.engine.programs.program import Activation, Number, Program
from transduce.kernels.library import Library
from transduce.kernels.running.runner import Runner
from transduce.modules.frontends.frontend import ConvolutionFrontend, SubsamplingFrontend
from transduce.modules.frontends.picture_convolution import PictureConvolution

__all__ = ["NativeConvolutions", "NativePictures", "NativeSubsampling"]


class NativeConvolutions:
    """A :class:`ConvolutionFrontend`: ``GELU(W x + b)`` of the frames that each place looks at."""

    def __init__(self, library: Library, number: Number, frontend: ConvolutionFrontend) -> None:
        self.width = frontend.width
        self._layers = [
            _Convolution(library, layer, height=1, activation="gelu", number=number)
            for layer in frontend.layers
            if isinstance(layer, nn.Conv1d)
        ]

    def __call__(self, frames: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """``[B, S, F]`` to ``[B, S', E]`` and lengths shorter by each stride.

        What stands beyond the lengths means nothing.
        """
        return _through(self._layers, frames, lengths)


class NativeSubsampling:
    """A :class:`SubsamplingFrontend`, a spectrogram being a picture of one channel; in float32."""

    def __init__(self, library: Library, frontend: SubsamplingFrontend) -> None:
        self.width = frontend.width
        self._layers = _over_pictures(library, frontend.layers, frontend.frame_width)
        channels, rows = self._layers[-1].channels, self._layers[-1].rows
        # There columns hold channel by channel, here row by row.
        weight = frontend.project.weight.detach().view(-1, channels, rows)
        self._project = NativeAffine(
            library, weight.transpose(1, 2).flatten(1), frontend.project.bias
        )

    def __call__(self, frames: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """``[B, S, F]`` to ``[B, S', E]`` and the shorter lengths."""
        vectors, lengths = _through(self._layers, frames, lengths)
        return self._project(vectors), lengths


class NativePictures:
    """A :class:`PictureConvolution`, in float32."""

    def __init__(self, library: Library, frontend: PictureConvolution) -> None:
        self.width, self._channels = frontend.width, frontend.channels
        convolutions = [module for module in frontend.modules() if isinstance(module, nn.Conv2d)]
        self._layers = _over_pictures(library, convolutions, frontend.height)
        self._project = NativeAffine(library, frontend.project.weight, frontend.project.bias)

    def __call__(self, frames: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """``[B, S, C·Y]`` to ``[B, S', D]`` and the lengths that are left."""
        # Columns come channel by channel.
        B, S, F = frames.shape
        columns = frames.view(B, S, self._channels, F // self._channels)
        columns = columns.transpose(2, 3).flatten(2)
        vectors, lengths = _through(self._layers, columns, lengths)
        return self._project(vectors), lengths


def _over_pictures(
    library: Library, convolutions: Iterable[nn.Module], height: int
) -> list[_Convolution]:
    layers: list[_Convolution] = []
    for convolution in convolutions:
        if not isinstance(convolution, nn.Conv2d):
            raise TypeError(f"layer must be a Conv2d; got {type(convolution)}")
        layers.append(_Convolution(library, convolution, height=height, activation="relu"))
        height = layers[-1].rows
    return layers


def _through(
    layers: Sequence[_Convolution], frames: Tensor, lengths: Tensor
) -> tuple[Tensor, Tensor]:
    vectors = frames
    for layer in layers:
        vectors, lengths = layer(vectors, lengths)
    return vectors, lengths


class _Convolution:
    """``f(W x + b)`` of what each place of columns ``[B, S, Y·C]`` looks at, Y being ``height``."""

    def __init__(
        self,
        library: Library,
        layer: nn.Conv1d | nn.Conv2d,
        *,
        height: int,
        activation: Activation,
        number: Number = "float32",
    ) -> None:
        kernel, down = layer.kernel_size[0], layer.kernel_size[-1] if layer.weight.ndim > 3 else 1
        self._stride, stride_down = layer.stride[0], layer.stride[-1] if down > 1 else 1
        self.channels, self.rows = layer.out_channels, (height - 1) // stride_down + 1
        program = Program(library, number)
        seen = program.buffer(kernel * down * layer.in_channels)
        out = program.buffer(self.channels)
        program.windows(
            "frames",
            seen,
            counts="counts",
            room="room",
            across=(kernel, self._stride),
            down=(down, stride_down),
            height=height,
        )
        # Channels side by side, as they stand in what is looked at: [D, C, k, k'] to [D, k k' C].
        weight = layer.weight.detach().movedim(1, -1).flatten(1)
        program.linear(seen, out, weight, layer.bias, activation=activation)
        program.put(out, "vectors", stride=self.channels)
        self._runner = Runner(program)

    def __call__(self, frames: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Columns ``[B, S', Y'·D]`` and lengths in them."""
        B, S, _ = frames.shape
        places = (S - 1) // self._stride + 1
        vectors = torch.empty(B, places, self.rows * self.channels)
        of_sentences = {
            "frames": frames.float().contiguous(),
            "counts": lengths.contiguous(),
            "vectors": vectors,
        }
        room = torch.tensor([S])
        self._runner.run_sources(of_sentences, {"room": room}, places * self.rows)
        return vectors, (lengths - 1).div(self._stride, rounding_mode="floor") + 1
