"""Self-attention of each position over its neighbours alone (Guo et al. 2022, section 3.1).

Queries are cut into blocks, and of the keys each block gets a strip: its own positions and
``window`` on either side. So neither time nor memory grows with the square of the length. Summaries
of blocks, which all positions see besides, are what lets far ones know of each other.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from transduce.modules.attention import HIDDEN, padding_bias, scaled_dot_product
from transduce.modules.dropout import Dropout
from transduce.modules.positions import RelativeBias

__all__ = [
    "BlockSummaries",
    "FullAttention",
    "LocalAttention",
    "SelfAttention",
    "self_attention",
]

_SHORTEST = 16  # positions of a block: products of fewer rows are slow

KeysValues = tuple[Tensor, Tensor]


@dataclass(frozen=True, slots=True)
class BlockSummaries:
    """The mean of each ``block`` of positions, of those that ``mask`` ``[B, S]`` has as real."""

    mask: Tensor
    block: int

    def __call__(self, vectors: Tensor) -> Tensor:
        """``[B, S, D]`` to ``[B, M, D]``, M being ⌈S / block⌉; zero where none is real.

        One row of the mask can stand for all.
        """
        exact = vectors.float() if vectors.dtype in (torch.float16, torch.bfloat16) else vectors
        real = exact.masked_fill(~self.mask[:, :, None], 0)
        B, S, D = vectors.shape
        rest = -S % self.block
        # [B, M·block, D] → [B, M, block, D] → [B, M, D]
        sums = nn.functional.pad(real, (0, 0, 0, rest)).view(B, -1, self.block, D).sum(2)
        ones = nn.functional.pad(self.mask, (0, rest))
        # [B, M·block] → [B, M, block] → [B, M]
        counts = ones.view(len(ones), -1, self.block).sum(2)
        return (sums / counts.clamp(min=1)[:, :, None]).to(vectors.dtype)

    def joined_to(self, bias: Tensor) -> Tensor:
        """A bias ``[N, h, q, k]`` and, behind it, that of the summaries: ``[N, h, q, k + M]``.

        N is 1 or a multiple of B. A block has a summary where its first position is real.
        """
        own = padding_bias(self.mask[:, :: self.block])  # [B, 1, 1, M]
        own = own.repeat_interleave(max(1, len(bias) // len(own)), 0)
        bias = bias.expand(len(own), -1, -1, -1)
        return torch.cat([bias, own.expand(-1, *bias.shape[1:3], -1).to(bias.dtype)], 3)


@dataclass(frozen=True, slots=True)
class FullAttention:
    """Each position sees all that ``bias`` ``[B or 1, 1 or H, S or 1, S]`` does not hide.

    With ``summaries`` the bias has columns for these, too, and so have the weights.
    """

    bias: Tensor
    summaries: BlockSummaries | None = None

    def __call__(
        self,
        queries: Tensor,
        keys: Tensor,
        values: Tensor,
        drop: Dropout,
        others: KeysValues | None = None,
    ) -> Tensor:
        """``[B, H, S, d]`` over ``[B, G, S, d]`` to ``[B, H, S, d]``.

        ``others`` are keys and values ``[B, G, M, d]`` of the summaries.
        """
        if others is not None:
            keys, values = (torch.cat(both, 2) for both in zip((keys, values), others, strict=True))
        return scaled_dot_product(queries, keys, values, self.bias, drop)[0]


@dataclass(frozen=True, slots=True)
class LocalAttention:
    """Each position sees ``window`` others on either side, by blocks of ``block`` queries.

    ``bias`` ``[B·N, 1 or H, block, block + 2 window]`` is that of all N blocks of each sentence;
    with ``summaries`` there are columns for these behind it.
    """

    window: int
    block: int
    bias: Tensor
    summaries: BlockSummaries | None = None

    def __call__(
        self,
        queries: Tensor,
        keys: Tensor,
        values: Tensor,
        drop: Dropout,
        others: KeysValues | None = None,
    ) -> Tensor:
        """As of :class:`FullAttention`."""
        B, H, S, d = queries.shape
        blocks = nn.functional.pad(queries, (0, 0, 0, -S % self.block))
        # [B, H, N·b, d] → [B, H, N, b, d] → [B, N, H, b, d] → [B·N, H, b, d]
        blocks = blocks.reshape(B, H, -1, self.block, d).transpose(1, 2).flatten(0, 1)
        keys, values = self._strips(keys), self._strips(values)
        if others is not None:
            each = len(keys) // B
            keys, values = (
                torch.cat([own, other.repeat_interleave(each, 0)], 2)  # [B·N, G, b + 2 w + M, d]
                for own, other in zip((keys, values), others, strict=True)
            )
        vectors, _ = scaled_dot_product(blocks, keys, values, self.bias, drop)
        # [B·N, H, b, d] → [B, N, H, b, d] → [B, H, N, b, d]
        vectors = vectors.view(B, -1, H, self.block, d).transpose(1, 2)
        return vectors.reshape(B, H, -1, d)[:, :, :S]  # [B, H, N·b, d] → [B, H, S, d]

    def _strips(self, vectors: Tensor) -> Tensor:
        """``[B, G, S, d]`` to ``[B·N, G, b + 2 w, d]``; zeros stand beyond both ends."""
        rest = -vectors.shape[2] % self.block
        padded = nn.functional.pad(vectors, (0, 0, self.window, rest + self.window))
        strips = padded.unfold(2, self.block + 2 * self.window, self.block)
        # [B, G, N, d, b + 2 w] → [B, N, G, b + 2 w, d] → [B·N, G, b + 2 w, d]
        return strips.permute(0, 2, 1, 4, 3).flatten(0, 1)


SelfAttention = FullAttention | LocalAttention


def self_attention(
    mask: Tensor,
    window: int | None,
    relative: RelativeBias | None,
    *,
    global_block: int | None = None,
    by_blocks: bool = True,
) -> SelfAttention:
    """What each position of sources with ``mask`` ``[B, S]`` sees, for all layers of a stack.

    A window that covers the longest source is full attention, the same to the last bit; where
    blocks would save nothing, or are not wanted, there are none. ``global_block`` are the positions
    that a summary is of, where all positions see such.
    """
    summaries = None if global_block is None else BlockSummaries(mask, global_block)
    S = mask.shape[1]
    window = S if window is None else min(window, S)
    block = max(window, _SHORTEST)
    width = block + 2 * window
    if width >= S or not by_blocks:
        bias = padding_bias(mask)
        if relative is not None:
            bias = bias + relative(S, S, 0)
        if window < S - 1:
            bias = bias + _band(S, S, 0, window, mask)
        return FullAttention(bias if summaries is None else summaries.joined_to(bias), summaries)
    band = _band(block, width, window, window, mask)
    if relative is not None:
        band = band + relative(block, width, window)
    padded = nn.functional.pad(mask, (window, -S % block + window))
    strips = padded.unfold(1, width, block).flatten(0, 1)  # [B, N, b + 2 w] → [B·N, b + 2 w]
    bias = padding_bias(strips) + band
    if summaries is not None:
        bias = summaries.joined_to(bias)
    return LocalAttention(window, block, bias, summaries)


def _band(queries: int, keys: int, start: int, window: int, like: Tensor) -> Tensor:
    """``[queries, keys]``: hides what is farther than ``window`` from queries at ``start`` …"""
    rows = torch.arange(start, start + queries, device=like.device)
    far = (torch.arange(keys, device=like.device) - rows[:, None]).abs() > window
    return torch.zeros(far.shape, device=like.device).masked_fill_(far, HIDDEN)
