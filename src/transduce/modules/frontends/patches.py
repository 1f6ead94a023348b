"""A picture as a sequence of patches, and positions in two dimensions."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from transduce.modules.dropout import Dropout
from transduce.modules.frontends.frontend import hide_padding
from transduce.modules.functional import linear
from transduce.modules.positions import sinusoidal_table

__all__ = ["PatchFrontend", "as_pictures", "grid_positions"]


def as_pictures(frames: Tensor, lengths: Tensor, channels: int) -> Tensor:
    """Columns of pixels ``[B, S, C·Y]`` as pictures ``[B, C, Y, S]``, zero beyond ``lengths``.

    A column holds its first channel from top to bottom, then the next one.
    """
    B, S, F = frames.shape
    columns = hide_padding(frames, lengths).view(B, S, channels, F // channels)  # [B, S, C, Y]
    return columns.permute(0, 2, 3, 1)  # [B, C, Y, S]


def grid_positions(columns: int, rows: int, width: int, device: torch.device) -> Tensor:
    """Float32 ``[columns, rows, D]``: sinusoids of the column, then of the row.

    Each axis has its half of the dimensions, with Vaswani et al. 2017's sinusoids in
    it (Parmar et al. 2018, section 3.1; Carion et al. 2020, appendix A.4).
    """
    half = (width + 1) // 2
    across = sinusoidal_table(columns, half, device)[:columns]
    down = sinusoidal_table(rows, width - half, device)[:rows]
    return torch.cat(
        [across[:, None].expand(-1, rows, -1), down[None].expand(columns, -1, -1)], dim=-1
    )


class PatchFrontend(nn.Module):
    """Patches of a picture to vectors (Dosovitskiy et al. 2021, equation 1).

    ``z_p = W x_p + b + PE(column, row)``, x_p being the pixels of patch p. Patches run
    down the first column of patches, then down the next, so that what is real stands in
    front of the padding. A last patch that the picture does not fill sees zeros, whatever
    stands in the batch.
    """

    def __init__(
        self,
        *,
        height: int,
        channels: int,
        patch_height: int,
        patch_width: int,
        width: int,
        dropout: float = 0.0,
    ) -> None:
        """``height`` must be a multiple of ``patch_height``, else ValueError."""
        super().__init__()
        if height % patch_height:
            raise ValueError(
                f"height must be a multiple of patch_height ({patch_height}); got {height}"
            )
        self.channels = channels
        self.patch_height, self.patch_width = patch_height, patch_width
        self.rows = height // patch_height
        self.cell_width = patch_width  # pixels that a vector stands for
        self.width = width
        self.project = linear(channels * patch_height * patch_width, width, bias=True)
        self.dropout = Dropout(dropout)

    def cut(self, frames: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """``[B, S, C·Y]`` to patches ``[B, columns, rows, pixels]``, and lengths in patches."""
        picture = as_pictures(frames, lengths, self.channels)
        missing = -picture.shape[3] % self.patch_width
        picture = nn.functional.pad(picture, (0, missing))
        B, C, Y, X = picture.shape
        h, w = self.patch_height, self.patch_width
        # [B, C, Y/h, h, X/w, w] → [B, X/w, Y/h, C, h, w]
        patches = picture.reshape(B, C, Y // h, h, X // w, w).permute(0, 4, 2, 1, 3, 5)
        # one vector a patch: [B, X/w, Y/h, C·h·w]
        return patches.reshape(B, X // w, Y // h, C * h * w), -(-lengths // w) * self.rows

    def forward(self, frames: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """``[B, S, C·Y]`` and int64 ``[B]`` to ``[B, S', D]`` and lengths in patches."""
        patches, lengths = self.cut(frames.to(self.project.weight.dtype), lengths)
        vectors = self.project(patches)
        columns, rows = patches.shape[1:3]
        positions = grid_positions(columns, rows, self.width, frames.device)
        vectors = vectors + positions.to(vectors.dtype)
        # [B, columns, rows, D] → [B, columns·rows, D]
        return hide_padding(self.dropout(vectors.flatten(1, 2)), lengths), lengths

    def cells(self, frames: Tensor, lengths: Tensor) -> Tensor:
        """The pixels of each patch, ``[B, S', C·h·w]``."""
        return self.cut(frames, lengths)[0].flatten(1, 2)  # [B, columns, rows, pixels] → …
