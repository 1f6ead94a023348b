"""How fast this machine multiplies, roughly: the size of a model follows from it."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import torch

from transduce.workflow.trained import choose_device

__all__ = ["Machine", "measure_machine"]

_SECONDS = 0.15
_SIZE = 256
_WORTH = 1.2  # times as fast that several threads must be
_SCALING = 0.8  # n threads are so many times as fast: n to this power


@dataclass(frozen=True)
class Machine:
    """``speed`` is in 10⁹ floating-point operations a second, a power of two."""

    speed: float
    threads: int = 1
    device: str = "cpu"

    def __str__(self) -> str:
        where = "a GPU" if self.device != "cpu" else _threads(self.threads)
        return f"{where}, about {self.speed:,.0f} GFLOP/s"


def _threads(count: int) -> str:
    return "1 thread" if count == 1 else f"{count} threads"


def measure_machine(device: str = "auto", threads: int | None = None) -> Machine:
    """Multiply matrices for a moment. Rounded, so that the same machine chooses the same twice.

    ``threads`` are those that a person asks for. Without, those of PyTorch are used if they are
    faster than one: where other programs are at work they may be many times as slow.
    """
    chosen = choose_device(device)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        count, best = _products(chosen)
        used = threads or before
        if used > 1 and threads is None and chosen.type == "cpu":
            torch.set_num_threads(used)
            together, _ = _products(chosen)
            used = used if together >= _WORTH * count else 1
    finally:
        torch.set_num_threads(before)
    speed = 2 * _SIZE**3 / best / 1e9
    if chosen.type == "cpu":
        speed *= used**_SCALING
    return Machine(2.0 ** round(math.log2(speed)), used, chosen.type)


def _products(device: torch.device) -> tuple[int, float]:
    """How many are done in the time, and the seconds of the fastest."""
    left = torch.ones(_SIZE, _SIZE, device=device)
    count, best, end = 0, math.inf, time.perf_counter() + _SECONDS
    while (began := time.perf_counter()) < end:
        product = left @ left
        product[0, 0].item()  # waits for the device
        best = min(best, time.perf_counter() - began)
        count += 1
    return max(1, count), best
