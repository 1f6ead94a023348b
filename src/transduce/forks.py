"""What a process owes to those that are forked from it."""

from __future__ import annotations

import os
import sys

__all__ = ["keep_to_one_thread"]


def keep_to_one_thread() -> None:
    """Let PyTorch and the kernels compute with one thread in every process forked from this one.

    A fork copies the memory of OpenMP's threads and not the threads: the child would wait for
    them for ever at its first product (``gunicorn --preload``, ``multiprocessing``). PyTorch's
    own data loaders do the same in their workers.
    """
    if hasattr(os, "register_at_fork"):  # there is none on Windows, and no fork
        os.register_at_fork(after_in_child=_one_thread)


def _one_thread() -> None:
    if (torch := sys.modules.get("torch")) is not None:
        torch.set_num_threads(1)
