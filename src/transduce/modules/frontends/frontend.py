"""Frontends: from frames (columns of a spectrogram) to the vectors that an encoder reads.

Each takes frames ``[B, S, F]``, whatever stands beyond their lengths, and int64 lengths ``[B]``;
it gives vectors ``[B, S', E]`` and their lengths ``[B]``, and by ``cells`` the numbers that each
vector stands for, ``[B, S', W]``. What a convolution sees
beyond a sentence's end is zero in every layer, so that nothing hangs on the neighbours.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from transduce.modules.dropout import Dropout

__all__ = [
    "ConvolutionFrontend",
    "LinearFrontend",
    "SubsamplingFrontend",
    "hide_padding",
    "joined_frames",
]


def hide_padding(vectors: Tensor, lengths: Tensor) -> Tensor:
    """``[B, S, …]`` with zeros from position ``lengths`` (int64 ``[B]``) on."""
    positions = torch.arange(vectors.shape[1], device=vectors.device)
    padding = positions >= lengths[:, None]
    # [B, S] → [B, S, 1, …], as many axes as the vectors have
    return vectors.masked_fill(padding.view(*padding.shape, *[1] * (vectors.ndim - 2)), 0)


def joined_frames(frames: Tensor, lengths: Tensor, count: int) -> Tensor:
    """Frames ``[B, S, F]``, ``count`` side by side: ``[B, ⌈S / count⌉, count·F]``, zero beyond
    their lengths (int64 ``[B]``).
    """
    frames = hide_padding(frames, lengths)
    frames = nn.functional.pad(frames, (0, 0, 0, -frames.shape[1] % count))
    B, S, F = frames.shape
    return frames.reshape(B, S // count, count * F)  # [B, S, F] → [B, S', count·F]


def _shortened(lengths: Tensor, stride: int) -> Tensor:
    """How many places a convolution with as much padding as its kernel reaches gives."""
    return (lengths - 1).div(stride, rounding_mode="floor") + 1


class LinearFrontend(nn.Module):
    """``W x + b`` for each frame: vectors of unit variance from frames of unit variance."""

    def __init__(self, frame_width: int, width: int, dropout: float) -> None:
        super().__init__()
        self.width = width
        self.project = nn.Linear(frame_width, width)
        nn.init.normal_(self.project.weight, std=frame_width**-0.5)
        nn.init.zeros_(self.project.bias)
        self.dropout = Dropout(dropout)

    def forward(self, frames: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """``[B, S, F]`` to ``[B, S, E]`` and the same lengths."""
        vectors = self.project(frames.to(self.project.weight.dtype))
        return hide_padding(self.dropout(vectors), lengths), lengths

    def cells(self, frames: Tensor, lengths: Tensor) -> Tensor:
        """The frames, ``[B, S, F]``."""
        return hide_padding(frames, lengths)


class ConvolutionFrontend(nn.Module):
    """``x ← GELU(conv(x))`` over time, one convolution a stride (Radford et al. 2022, section 2.2).

    Whisper's own has strides 1 and 2 and kernels of 3. Each convolution of stride s makes
    ``⌈S / s⌉`` vectors of S.
    """

    def __init__(
        self,
        frame_width: int,
        width: int,
        *,
        strides: Sequence[int],
        kernel: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.width = width
        self.layers = nn.ModuleList(
            _kaiming(
                nn.Conv1d(
                    width if number else frame_width,
                    width,
                    kernel,
                    stride=stride,
                    padding=kernel // 2,
                )
            )
            for number, stride in enumerate(strides)
        )
        self.strides = tuple(strides)
        self.dropout = Dropout(dropout)

    def forward(self, frames: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """``[B, S, F]`` to ``[B, S', E]`` and lengths shorter by each stride."""
        vectors = hide_padding(frames, lengths).to(next(self.parameters()).dtype)
        for layer, stride in zip(self.layers, self.strides, strict=True):
            lengths = _shortened(lengths, stride)
            moved = nn.functional.gelu(layer(vectors.transpose(1, 2)))  # [B, E, S]
            vectors = hide_padding(moved.transpose(1, 2), lengths)  # [B, S, E]
        return self.dropout(vectors), lengths

    def cells(self, frames: Tensor, lengths: Tensor) -> Tensor:
        """As many frames as all strides pass over, ``[B, S', R·F]``."""
        return joined_frames(frames, lengths, math.prod(self.strides))


class SubsamplingFrontend(nn.Module):
    """Convolutions over time and frequency, each halving both, and one affine map.

    ``x ← ReLU(conv(x))`` with kernels of 3 × 3 and stride 2 on the spectrogram as a picture of
    one channel, then ``W x + b`` of all channels and frequencies of a place: the
    subsampling that speech encoders begin with since Listen, Attend and Spell (Chan et al.
    2016) shortened its input fourfold. L layers make ``⌈S / 2^L⌉`` vectors of S.
    """

    def __init__(
        self, frame_width: int, width: int, *, channels: int, layers: int, dropout: float
    ) -> None:
        super().__init__()
        self.frame_width, self.width = frame_width, width
        self.layers = nn.ModuleList(
            _kaiming(nn.Conv2d(channels if number else 1, channels, 3, stride=2, padding=1))
            for number in range(layers)
        )
        height = frame_width
        for _ in range(layers):
            height = (height - 1) // 2 + 1
        self.project = nn.Linear(channels * height, width)
        nn.init.normal_(self.project.weight, std=(channels * height) ** -0.5)
        nn.init.zeros_(self.project.bias)
        self.dropout = Dropout(dropout)

    def forward(self, frames: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """``[B, S, F]`` to ``[B, S', E]`` and the shorter lengths."""
        picture = hide_padding(frames, lengths).to(self.project.weight.dtype)[:, :, None]
        for layer in self.layers:  # [B, S, C, F], channels before what is convolved inside
            lengths = _shortened(lengths, 2)
            moved = torch.relu(layer(picture.transpose(1, 2)))  # [B, C, S, F]
            picture = hide_padding(moved.transpose(1, 2), lengths)  # [B, S, C, F]
        vectors = self.project(picture.flatten(2))  # [B, S, C·F]
        return hide_padding(self.dropout(vectors), lengths), lengths

    def cells(self, frames: Tensor, lengths: Tensor) -> Tensor:
        """``2^L`` frames each, ``[B, S', 2^L·F]``."""
        return joined_frames(frames, lengths, 2 ** len(self.layers))


def _kaiming(layer: nn.Conv1d | nn.Conv2d) -> nn.Module:
    """First weights that keep the variance through a rectifier (He et al. 2015); bias 0."""
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer
