"""Where random numbers come from while a model runs in training."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

__all__ = ["chosen", "drawn_from", "generator", "normal"]


class _OfThread(threading.local):
    generator: torch.Generator | None = None


_own = _OfThread()


def generator() -> torch.Generator | None:
    """This thread's generator, for a CPU's random numbers; None: torch's, which all threads share.

    Threads that draw from one generator side by side get other numbers at every run.
    """
    return _own.generator


def chosen(shape: Sequence[int], share: float, device: torch.device) -> Tensor:
    """Bool of this shape, true with probability ``share``."""
    own = generator() if device.type == "cpu" else None
    return torch.rand(tuple(shape), device=device, generator=own) < share


def normal(like: Tensor) -> Tensor:
    """Standard normal numbers of the shape and type of ``like``."""
    own = generator() if like.device.type == "cpu" else None
    return torch.randn(like.shape, dtype=like.dtype, device=like.device, generator=own)


@contextmanager
def drawn_from(source: torch.Generator) -> Iterator[None]:
    """Within the block this thread draws from ``source``."""
    before = _own.generator
    _own.generator = source
    try:
        yield
    finally:
        _own.generator = before
