"""What tells a Transformer's positions apart, as the kernels read it.

The numbers are those of ``transduce.modules.positions``, where the equations are.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["KINDS", "position_tables", "table_room"]

Floats = NDArray[Any]

KINDS = ("sinusoidal", "fairseq", "rotary")
_BASE = 10_000.0
_FAIRSEQ_FIRST = 2
_LEAST_ROOM = 32


def table_room(count: int) -> int:
    """A power of two, so that a table that grows by one is not made anew each time."""
    return max(_LEAST_ROOM, 1 << max(count - 1, 0).bit_length())


def position_tables(kind: str, count: int, width: int, head_width: int) -> dict[str, Floats]:
    """Float32 ``positions`` ``[count, D]``, or ``cosines`` and ``sines`` ``[count, d]``.

    An odd ``head_width`` has none of the latter.
    """
    match kind:
        case "sinusoidal":
            angles = _angles(np.arange(count), np.arange(0, width, 2) / width)
            pairs = np.stack([np.sin(angles), np.cos(angles)], axis=-1)
            # [count, ⌈D/2⌉, 2] → [count, D or D + 1]
            return {"positions": _whole(pairs.reshape(count, -1)[:, :width])}
        case "fairseq":
            half = width // 2
            positions = np.arange(_FAIRSEQ_FIRST, count + _FAIRSEQ_FIRST)
            angles = _angles(positions, np.arange(half) / max(half - 1, 1))
            zeros = np.zeros((count, width - 2 * half))
            return {"positions": _whole(np.hstack([np.sin(angles), np.cos(angles), zeros]))}
        case "rotary":
            if head_width % 2:
                return {}
            angles = _angles(np.arange(count), np.arange(0, head_width, 2) / head_width)
            cosines, sines = np.cos(angles), np.sin(angles)
            return {
                "cosines": _whole(np.hstack([cosines, cosines])),
                "sines": _whole(np.hstack([-sines, sines])),
            }
    raise ValueError(f"kind must be one of {', '.join(KINDS)}; got {kind}")


def _angles(positions: Floats, exponents: Floats) -> Floats:
    """Float64 ``[count, N]``."""
    found: Floats = positions[:, None] * _BASE**-exponents
    return found


def _whole(table: Floats) -> Floats:
    return np.ascontiguousarray(table, np.float32)
