"""Two inputs side by side: an encoder for each, and their memories as one (Zoph & Knight 2016)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from transduce.errors import ModelError
from transduce.interfaces import Memory, Source
from transduce.models.seq2seq import Embedding, Encoder, Frontend, entered
from transduce.modules.functional import linear

__all__ = ["JoinedEncoder", "MemoryJoint", "joined_memory", "second_input"]


class JoinedEncoder(nn.Module):
    """The encoder of the first input and, beside it, entrance and encoder of the second.

    ``width`` is that of the first. What goes in are the first input's vectors; the source holds the
    second input, which ``entrance`` turns into vectors.
    """

    def __init__(self, first: Encoder, entrance: Embedding | Frontend, second: Encoder) -> None:
        super().__init__()
        self.width = first.width
        self.first = first
        self.entrance = entrance
        self.second = second
        self.joint = MemoryJoint(first.width, second.width)

    def forward(self, vectors: Tensor, source: Source) -> Memory:
        """``[B, S, E]``, and what is ``beside`` in the source, to one memory of width D."""
        first = self.first(vectors, source)
        second = self.second(*entered(self.entrance, second_input(source)))
        joint: Memory = self.joint(first, second)
        return joint


class MemoryJoint(nn.Module):
    """Two memories as one, the second's vectors behind the first's.

    ``[a_1 + u, …, a_m + u, P b_1 + v, …, P b_n + v]``, where u and v are learnt, one vector for
    each input, by which attention tells them apart, and P is the identity where both are of one
    width. Padding stands behind both. The summary of layer l is ``s_l + P s'_l``; where the numbers
    of layers differ, ``s'`` is the second's last.
    """

    def __init__(self, width: int, second_width: int) -> None:
        super().__init__()
        own = second_width != width
        self.project = linear(second_width, width, bias=False) if own else nn.Identity()
        self.inputs = nn.Parameter(torch.randn(2, width) / width**0.5)

    def forward(self, first: Memory, second: Memory) -> Memory:
        """Memories of widths D and D', of the same B sentences, to one of width D."""
        return joined_memory(first, second, self.inputs, self.project)


def joined_memory(
    first: Memory, second: Memory, inputs: Tensor, project: Callable[[Tensor], Tensor]
) -> Memory:
    """What a :class:`MemoryJoint` makes of two; its u and v are ``inputs`` ``[2, D]``."""
    m, n = first.mask.sum(1), second.mask.sum(1)  # real positions of each sentence
    S, total = first.mask.shape[1], m + n
    longest = int(total.max()) if len(total) else S
    places = torch.arange(longest, device=total.device)[None]  # [1, S'']
    mask = places < total[:, None]
    # Where each position stands among the S of the first and those of the second behind them.
    found = torch.where(places < m[:, None], places, places - m[:, None] + S)
    both = torch.cat(
        [first.vectors + inputs[0], project(second.vectors) + inputs[1]], dim=1
    )  # [B, S + S', D]
    found = found.masked_fill(~mask, 0)[:, :, None].expand(-1, -1, both.shape[2])
    vectors = both.gather(1, found).masked_fill(~mask[:, :, None], 0)  # [B, S'', D]
    alike = first.summary.shape[1] == second.summary.shape[1]
    summary = second.summary if alike else second.summary[:, -1:]
    return Memory(vectors, mask, None, first.summary + project(summary))


def second_input(source: Source) -> Source:
    """What is beside. Raises ModelError where nothing is."""
    if source.beside is None:
        raise ModelError("source must have two inputs for this model; got one")
    return source.beside
