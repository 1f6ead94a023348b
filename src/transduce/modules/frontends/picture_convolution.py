"""Convolutions over a picture whose columns then are a sequence."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor, nn

from transduce.modules.dropout import Dropout
from transduce.modules.frontends.frontend import hide_padding, joined_frames
from transduce.modules.functional import linear

__all__ = ["PictureConvolution"]


class _Block(nn.Module):
    """``relu(conv(x))``: 3 by 3, strides (down, across).

    There is no norm. One over a batch would mix its pictures; one at each pixel would make
    noise on empty paper as strong as ink, and pictures with noise were learnt far more slowly.
    """

    def __init__(self, inputs: int, outputs: int, stride: tuple[int, int]) -> None:
        super().__init__()
        # Of pictures on their side, as they come, column by column.
        self.convolution = nn.Conv2d(inputs, outputs, 3, stride=stride[::-1], padding=1)
        nn.init.kaiming_normal_(self.convolution.weight, nonlinearity="relu")
        if self.convolution.bias is not None:
            nn.init.zeros_(self.convolution.bias)

    def forward(self, picture: Tensor) -> Tensor:
        """``[B, X, Y, C]`` to ``[B, ⌈X / across⌉, ⌈Y / down⌉, C']``, channels side by side."""
        # [B, X, Y, C] → [B, C, X, Y] for the convolution, and back
        pixels = self.convolution(picture.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        return nn.functional.relu(pixels)


class PictureConvolution(nn.Module):
    """Strided 2-D convolutions, then each column of what is left as one vector.

    LeCun et al. 1998 with columns kept as a sequence, as Shi et al. 2015 read lines of text
    (section 2.1) and Deng et al. 2017 formulas. After every layer the columns beyond a
    picture's end are zero again, so that it sees what it would see alone.
    """

    def __init__(
        self,
        *,
        height: int,
        channels: int,
        layers: Sequence[int],
        strides: Sequence[tuple[int, int]],
        width: int,
        dropout: float = 0.0,
    ) -> None:
        """``layers`` are the channels that each layer gives, ``strides`` its (down, across).

        ValueError where these are not as many, or there are none.
        """
        super().__init__()
        if not layers or len(layers) != len(strides):
            raise ValueError(
                f"layers and strides must be as many, at least 1; got {len(layers)} "
                f"and {len(strides)}"
            )
        self.height, self.channels = height, channels
        self.strides = tuple(across for _, across in strides)
        self.rows, self.cell_width = 1, math.prod(self.strides)  # pixels that a vector stands for
        inputs = [channels, *layers[:-1]]
        self.blocks = nn.ModuleList(map(_Block, inputs, layers, strides))
        left = height
        for down, _ in strides:
            left = -(-left // down)
        self.width = width
        self.project = linear(layers[-1] * left, width, bias=True)
        self.dropout = Dropout(dropout)

    def forward(self, frames: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """``[B, S, C·Y]`` and int64 ``[B]`` to ``[B, S', D]`` and the lengths that are left."""
        columns = hide_padding(frames.to(self.project.weight.dtype), lengths)
        # [B, S, C·Y] → [B, S, C, Y] → [B, S, Y, C]
        picture = columns.view(*columns.shape[:2], self.channels, -1).transpose(2, 3)
        for block, across in zip(self.blocks, self.strides, strict=True):
            lengths = -(-lengths // across)
            picture = hide_padding(block(picture), lengths)
        vectors = self.project(picture.flatten(2))  # [B, S, Y·C]
        return hide_padding(self.dropout(vectors), lengths), lengths

    def cells(self, frames: Tensor, lengths: Tensor) -> Tensor:
        """The columns of pixels that all strides pass over, ``[B, S', X·C·Y]``."""
        return joined_frames(frames, lengths, self.cell_width)
