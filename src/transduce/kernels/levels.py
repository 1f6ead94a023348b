"""int4: the sixteen levels that a number may have, and how many numbers share a scale."""

from __future__ import annotations

import numpy as np

__all__ = ["GROUP", "LEVELS"]

GROUP = 32  # numbers that share a scale: kGroup of native/rounding.h

# The levels of least squared error for normal numbers (Max 1960, table I), the outermost 1: near 0,
# where most weights are, they lie closer than equal steps.
_UPPER = np.array([0.1284, 0.3881, 0.6568, 0.9424, 1.256, 1.618, 2.069, 2.733], np.float32)
_SHARES = _UPPER / _UPPER[-1]
LEVELS = np.concatenate([-_SHARES[::-1], _SHARES])
