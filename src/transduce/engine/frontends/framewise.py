"""Frontends that look at frames one by one, or at patches of a picture, in native products."""

from __future__ import annotations

from torch import Tensor

from transduce.engine.programs.affine import NativeAffine
from transduce.kernels.library import Library
from transduce.modules.frontends.frontend import LinearFrontend
from transduce.modules.frontends.patches import PatchFrontend, grid_positions

__all__ = ["NativeLinear", "NativePatches"]


class NativeLinear:
    """A :class:`LinearFrontend`."""

    def __init__(self, library: Library, frontend: LinearFrontend) -> None:
        self.width = frontend.width
        self._project = NativeAffine(library, frontend.project.weight, frontend.project.bias)

    def __call__(self, frames: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """``[B, S, F]`` to ``[B, S, E]`` and the same lengths."""
        return self._project(frames), lengths


class NativePatches:
    """A :class:`PatchFrontend`: its patches, and its positions added to what they become."""

    def __init__(self, library: Library, frontend: PatchFrontend) -> None:
        self.width, self._cut = frontend.width, frontend.cut
        self._project = NativeAffine(library, frontend.project.weight, frontend.project.bias)

    def __call__(self, frames: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """``[B, S, C·Y]`` to ``[B, S', D]`` and lengths in patches."""
        patches, lengths = self._cut(frames.float(), lengths)
        columns, rows = patches.shape[1:3]
        positions = grid_positions(columns, rows, self.width, frames.device)
        return self._project(patches.flatten(1, 2)) + positions.flatten(0, 1), lengths
