"""Keys and values of a memory as the native kernels read them."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["LANES", "in_twos", "room_for_memory"]

LANES = 16  # kPositions of the kernels, which read so many at once, or half as many


def room_for_memory(
    sentences: int, pairs: int, length: int, width: int, stored: torch.dtype
) -> tuple[Tensor, Tensor]:
    """Zeros for the keys and values of B sentences, G pairs of heads, S positions.

    Float32: keys ``[B, G, d, P]``, P being S rounded up to 16, and values ``[B, G, S, d]``.
    bfloat16: the same :func:`in_twos`.
    """
    padded = length + -length % LANES
    if stored == torch.bfloat16:
        keys: tuple[int, ...] = (-(-width // 2), padded, 2)
        values: tuple[int, ...] = (-(-length // 2), width, 2)
    else:
        keys, values = (width, padded), (length, width)
    return (
        torch.zeros(sentences, pairs, *keys, dtype=stored),
        torch.zeros(sentences, pairs, *values, dtype=stored),
    )


def in_twos(tensor: Tensor) -> Tensor:
    """``[…, N, W]`` to bfloat16 ``[…, ⌈N / 2⌉, W, 2]``: rows 2n and 2n + 1 side by side.

    Where N is odd, zeros stand beside the last row.
    """
    even = torch.nn.functional.pad(tensor, (0, 0, 0, tensor.shape[-2] % 2))
    twos = even.reshape(*tensor.shape[:-2], -1, 2, tensor.shape[-1])
    return twos.transpose(-1, -2).to(torch.bfloat16).contiguous()
