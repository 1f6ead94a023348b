"""Ways of telling a Transformer where a token stands.

Sinusoidal and learned positions are added to the vectors that enter the stack,
rotary ones turn queries and keys in every self-attention, relative biases are added to
its scores. None of them changes what earlier tokens were given when more follow,
so decoding token by token sees what training saw.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

import torch
from torch import Tensor, nn

from transduce.errors import ModelError

__all__ = [
    "LearnedPositions",
    "RelativeBias",
    "SinusoidalPositions",
    "fairseq_table",
    "relative_buckets",
    "rotary_table",
    "rotate",
    "sinusoidal_table",
]

_BASE = 10_000.0
_SMALLEST_TABLE = 64


def sinusoidal_table(count: int, width: int, device: torch.device) -> Tensor:
    """Float32 ``[≥ count, D]``; Vaswani et al. 2017, section 3.5.

    ``PE(p, 2i) = sin(p / 10000^(2i/D))`` and ``PE(p, 2i + 1)`` its cosine.
    """
    return _sinusoids(_table_size(count), width, device)


def fairseq_table(count: int, width: int, device: torch.device) -> Tensor:
    """Float32 ``[≥ count, D]``: the sinusoids of fairseq, which M2M-100 and NLLB were trained with.

    The first D/2 columns are ``sin((p + 2) / 10000^(i / (D/2 - 1)))``, the others the cosines: the
    order and frequencies of Tensor2Tensor, counted from 2 because 0 and 1 were special there.
    """
    return _fairseq_sinusoids(_table_size(count), width, device)


def rotary_table(count: int, width: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Cosines and sines, float32 ``[≥ count, d]``, of the angles ``p · 10000^(-2i/d)``.

    Su et al. 2021, eq. 15. Angle i turns the pair of dimensions i and i + d/2 (the
    paper pairs neighbours, the same map with the dimensions in another order), so
    both halves of the table are equal but for the sine's sign.
    """
    return _rotations(_table_size(count), width, device)


def _table_size(count: int) -> int:
    # Powers of two, so that a decoder that grows token by token makes few tables.
    return max(_SMALLEST_TABLE, 1 << (count - 1).bit_length())


def _angles(count: int, width: int, device: torch.device) -> Tensor:
    """Float64 ``[count, ceil(D / 2)]``."""
    exponents = torch.arange(0, width, 2, dtype=torch.float64, device=device) / width
    positions = torch.arange(count, dtype=torch.float64, device=device)
    return positions[:, None] * _BASE**-exponents


# Kept between calls for all modules of the process. Made outside inference mode, whose
# tensors no training could use later.
@lru_cache(maxsize=16)
@torch.inference_mode(False)
def _sinusoids(count: int, width: int, device: torch.device) -> Tensor:
    angles = _angles(count, width, device)
    pairs = torch.stack([angles.sin(), angles.cos()], dim=-1)
    # [count, ⌈D/2⌉, 2] → [count, D or D + 1]
    return pairs.flatten(1)[:, :width].float()


@lru_cache(maxsize=16)
@torch.inference_mode(False)
def _fairseq_sinusoids(count: int, width: int, device: torch.device) -> Tensor:
    half = width // 2
    exponents = torch.arange(half, dtype=torch.float64, device=device) / max(half - 1, 1)
    positions = torch.arange(2, count + 2, dtype=torch.float64, device=device)
    angles = positions[:, None] * _BASE**-exponents
    table = torch.cat([angles.sin(), angles.cos()], dim=1)
    return nn.functional.pad(table, (0, width - 2 * half)).float()


@lru_cache(maxsize=16)
@torch.inference_mode(False)
def _rotations(count: int, width: int, device: torch.device) -> tuple[Tensor, Tensor]:
    angles = _angles(count, width, device)
    cosines = torch.cat([angles.cos(), angles.cos()], dim=-1)
    sines = torch.cat([-angles.sin(), angles.sin()], dim=-1)
    return cosines.float(), sines.float()


Table = Callable[[int, int, torch.device], Tensor]


class SinusoidalPositions(nn.Module):
    """Adds :func:`sinusoidal_table`, or another ``table``; has no weights and no longest length."""

    def __init__(self, table: Table = sinusoidal_table) -> None:
        super().__init__()
        self.table = table

    def forward(self, vectors: Tensor, start: int = 0) -> Tensor:
        """``[N, T, D]``, whose first token stands at position ``start``, to the same shape."""
        end = start + vectors.shape[1]
        table = self.table(end, vectors.shape[2], vectors.device)
        return vectors + table[start:end].to(vectors.dtype)


class LearnedPositions(nn.Module):
    """Adds one learned vector for each of ``max_positions`` positions (Gehring et al. 2017)."""

    def __init__(self, max_positions: int, width: int) -> None:
        super().__init__()
        # As large as sinusoids are, whose mean square is one half.
        self.weight = nn.Parameter(torch.randn(max_positions, width) * math.sqrt(0.5))

    def forward(self, vectors: Tensor, start: int = 0) -> Tensor:
        """As for :class:`SinusoidalPositions`; ModelError where there is no such position."""
        end = start + vectors.shape[1]
        self.refuse_beyond(end)
        return vectors + self.weight[start:end]

    def refuse_beyond(self, count: int) -> None:
        """Raise ModelError where there are fewer than ``count`` positions."""
        longest = self.weight.shape[0]
        if count > longest:
            raise ModelError(
                f"sequence must be at most {longest} tokens long (max_positions of its "
                f"learned positions); got {count}"
            )


def rotate(vectors: Tensor, start: int = 0) -> Tensor:
    """Turn queries or keys by angles that grow with the position (Su et al. 2021, eq. 14).

    ``[N, H, T, d]`` (d even), the first at position ``start``, to the same shape. The
    product of a turned query and a turned key depends on their distance alone,
    not on where they stand.
    """
    end = start + vectors.shape[2]
    cosines, sines = rotary_table(end, vectors.shape[3], vectors.device)
    low, high = vectors.chunk(2, dim=-1)
    swapped = torch.cat([high, low], dim=-1)
    turned = vectors * cosines[start:end] + swapped * sines[start:end]
    return turned.to(vectors.dtype)


def relative_buckets(
    distances: Tensor, *, buckets: int, max_distance: int, bidirectional: bool
) -> Tensor:
    """Number of the bucket of each distance, key's position minus query's (int64, any shape).

    Raffel et al. 2020, section 2.1: half of the buckets hold one short distance
    each, the rest grow with the logarithm up to ``max_distance``, and the last holds
    all beyond. ``bidirectional`` gives half of them to keys on the right; without it
    those share bucket 0 with distance 0.
    """
    if bidirectional:
        buckets //= 2
        side = (distances > 0) * buckets
        lengths = distances.abs()
    else:
        side = torch.zeros_like(distances)
        lengths = (-distances).clamp(min=0)
    single = buckets // 2
    scaled = torch.log(lengths.clamp(min=1).double() / single) / math.log(max_distance / single)
    grown = single + (scaled * (buckets - single)).long()
    return side + torch.where(lengths < single, lengths, grown.clamp(max=buckets - 1))


class RelativeBias(nn.Module):
    """A learned number for each head and bucket of distances, added to scores (Raffel et al. 2020).

    One table serves all layers of a stack. Unlike there, scores are still divided by √d.
    """

    def __init__(
        self, heads: int, *, bidirectional: bool, buckets: int = 32, max_distance: int = 128
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(buckets, heads) * 0.1)
        self.bidirectional = bidirectional
        self.max_distance = max_distance

    def forward(self, queries: int, keys: int, start: int = 0) -> Tensor:
        """``[H, queries, keys]``: queries from position ``start`` on, keys from 0."""
        device = self.weight.device
        rows = torch.arange(start, start + queries, device=device)
        numbers = relative_buckets(
            torch.arange(keys, device=device) - rows[:, None],
            buckets=self.weight.shape[0],
            max_distance=self.max_distance,
            bidirectional=self.bidirectional,
        )
        return nn.functional.embedding(numbers, self.weight).permute(2, 0, 1)  # [H, queries, keys]
