"""Encoders for long sources: stacks of linear recurrences."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor, nn

from transduce.interfaces import Memory, Source
from transduce.models.transformer import Entry, memory_of
from transduce.modules.transformer import (
    LinearRecurrence,
    LinearRecurrentEncoderLayer,
    StackOptions,
)

__all__ = ["LinearRecurrentEncoder"]


class LinearRecurrentEncoder(nn.Module):
    """Linear recurrences in both directions and feed-forward layers over the whole source.

    Recurrences are minimal gated units (Feng et al. 2024) or selective state spaces (Gu and Dao
    2023): ``make`` gives one for each layer. As a Transformer's encoder, but for self-attention:
    what a position costs does not depend on how long its source is, and order is known without
    positions. ``each`` are the options of every layer, where these differ in feed-forward widths.
    Pre-norm ends with a norm of its own.
    """

    def __init__(
        self,
        input_width: int,
        each: Sequence[StackOptions],
        make: Callable[[], LinearRecurrence],
    ) -> None:
        super().__init__()
        options = each[0]
        self.width = options.width
        self.entry = Entry(input_width, options)
        self.layers = nn.ModuleList(LinearRecurrentEncoderLayer(own, make()) for own in each)
        self.norm = options.make_final_norm()

    def forward(self, vectors: Tensor, source: Source) -> Memory:
        """``[B, S, E]`` to a memory of width D; its summary is the mean ``[B, 1, D]``."""
        vectors = self.entry(vectors)
        for layer in self.layers:
            vectors = layer(vectors, source.mask)
        return memory_of(self.norm(vectors), source)
