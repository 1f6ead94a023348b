"""Two inputs side by side: a native encoder for each, and their memories as one."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from transduce.compress.shrunk import floats_of
from transduce.engine.programs.affine import NativeAffine
from transduce.engine.stepper import NativeEncoder
from transduce.interfaces import Memory, Source
from transduce.kernels.library import Library
from transduce.models.joined_encoder import MemoryJoint, joined_memory, second_input

__all__ = ["NativeJoinedEncoder"]


class NativeJoinedEncoder:
    """Both encoders run once a batch, then what joins their memories, in float32."""

    def __init__(
        self, library: Library, first: NativeEncoder, second: NativeEncoder, joint: MemoryJoint
    ) -> None:
        self._first = first
        self._second = second
        self._inputs = floats_of(joint.inputs).detach().float().clone()
        self._project: Callable[[Tensor], Tensor] = nn.Identity()
        if isinstance(joint.project, nn.Linear):
            self._project = NativeAffine(library, joint.project.weight, None)

    def noted(self) -> None:
        """None: it cannot be made of data."""

    @torch.no_grad()
    def __call__(self, source: Source) -> Memory:
        """Encode a padded batch."""
        first, second = self._first(source), self._second(second_input(source))
        return joined_memory(first, second, self._inputs, self._project)
