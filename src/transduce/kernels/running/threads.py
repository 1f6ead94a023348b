"""How many processors there are to use, and how many threads the kernels use of them."""

from __future__ import annotations

import os
import sys

__all__ = ["set_thread_count", "thread_count", "usable_processors"]


def thread_count() -> int:
    """As many as torch uses, where that is loaded; else what it would: ``OMP_NUM_THREADS``, or one
    for each processor that this process may use.
    """
    if (torch := sys.modules.get("torch")) is not None:
        count: int = torch.get_num_threads()
        return count
    named = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    if named.isdecimal() and int(named):
        return int(named)
    return usable_processors()


def set_thread_count(count: int) -> None:
    """Let kernels, torch and tokenizers use so many, in a process that has loaded none of them or
    has torch.
    """
    for name in ("OMP_NUM_THREADS", "RAYON_NUM_THREADS"):
        os.environ[name] = str(count)
    if (torch := sys.modules.get("torch")) is not None:
        torch.set_num_threads(count)


def usable_processors() -> int:
    """Those that this process may use, or all where the system does not tell."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
