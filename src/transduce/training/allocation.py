"""Habits of memory that suit training on a CPU, and what says that memory is short."""

from __future__ import annotations

import ctypes

import torch

__all__ = ["is_shortage", "keep_freed_buffers"]

# Names and numbers of glibc's mallopt(3).
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_KEPT = (1 << 31) - 1  # bytes of freed memory that stay with the process
_MAPPED = 1 << 30  # only larger buffers are mapped, and so handed back when freed


def keep_freed_buffers() -> None:
    """Keep freed buffers for the next step.

    glibc hands a freed buffer of 32 MB or more back to the system, which must zero its pages
    again a moment later: 5 to 10 % of a training step. Where another library allocates, nothing
    changes.

    What oneDNN keeps of each shape it has met (the last 1,024 compiled kernels, about 0.9 MB
    each) is left as it is: capped at 128 a small recurrent model lost a third of its speed, as
    batches come in some ninety shapes of a dozen kernels. ``ONEDNN_PRIMITIVE_CACHE_CAPACITY`` in
    the environment trades that speed for memory.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # not glibc: macOS, musl, Windows
        return
    mallopt(_MMAP_THRESHOLD, _MAPPED)
    mallopt(_TRIM_THRESHOLD, _KEPT)


def is_shortage(error: BaseException) -> bool:
    """Whether an error says that there is not as much memory as was asked for."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    text = str(error)
    return "allocate memory" in text or "out of memory" in text or "not enough memory" in text
