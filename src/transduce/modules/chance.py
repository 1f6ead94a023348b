"""Where random numbers come from while a model runs in training."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch

__all__ = ["drawn_from", "generator"]


class _OfThread(threading.local):
    generator: torch.Generator | None = None


_own = _OfThread()


def generator() -> torch.Generator | None:
    """This thread's generator, for a CPU's random numbers; None: torch's, which all threads share.

    Threads that draw from one generator side by side get other numbers at every run.
    """
    return _own.generator


@contextmanager
def drawn_from(source: torch.Generator) -> Iterator[None]:
    """Within the block this thread draws from ``source``."""
    before = _own.generator
    _own.generator = source
    try:
        yield
    finally:
        _own.generator = before
