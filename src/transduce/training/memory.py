"""Habits of memory that suit training on a CPU: the same large buffers, step after step."""

from __future__ import annotations

import ctypes
import os

__all__ = ["settle_memory"]

# Names and numbers of glibc's mallopt(3).
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_KEPT = (1 << 31) - 1  # bytes of freed memory that stay with the process
_MAPPED = 1 << 30  # only larger buffers are mapped, and so handed back when freed
_PRIMITIVES = "128"


def settle_memory() -> None:
    """Keep freed buffers for the next step, and bound what oneDNN remembers of shapes.

    glibc hands a freed buffer of 32 MB or more back to the system, which must zero its pages
    again a moment later: 5 to 10 % of a training step. oneDNN keeps a compiled kernel, with its
    buffers, for each of the last 1,024 shapes; batches come in many, and that grows to a
    gigabyte, while 128 serve the layers of a step as well. The environment's own
    ``ONEDNN_PRIMITIVE_CACHE_CAPACITY`` goes first; where another library allocates, or oneDNN has
    worked before, nothing changes.
    """
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", _PRIMITIVES)
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # not glibc: macOS, musl, Windows
        return
    mallopt(_MMAP_THRESHOLD, _MAPPED)
    mallopt(_TRIM_THRESHOLD, _KEPT)
