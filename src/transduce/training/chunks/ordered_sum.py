"""A sum over chunks whose bits do not depend on who finished when."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import torch
from torch import Tensor

__all__ = ["OrderedSum"]


class OrderedSum:
    """Sums of tensors, chunk by chunk in their order, whichever thread brings which chunk when."""

    def __init__(self) -> None:
        self.total: list[Tensor | None] = []  # None where no chunk had a tensor
        self._waiting: dict[int, Sequence[Tensor | None]] = {}
        self._next = 0
        self._busy = False
        self._lock = threading.Lock()

    def add(self, number: int, tensors: Sequence[Tensor | None]) -> None:
        """What chunk ``number`` gives; any thread may call, and waits for nobody's sum."""
        with self._lock:
            self._waiting[number] = tensors
            if self._busy:
                return
            self._busy = True
        while (found := self._take()) is not None:
            self._sum(found)

    def _take(self) -> Sequence[Tensor | None] | None:
        with self._lock:
            found = self._waiting.pop(self._next, None)
            if found is None:
                self._busy = False
            else:
                self._next += 1
            return found

    def _sum(self, found: Sequence[Tensor | None]) -> None:
        if not self.total:
            self.total = [None] * len(found)
        into, more = [], []
        for place, (total, own) in enumerate(zip(self.total, found, strict=True)):
            if own is None:
                continue
            if total is None:
                self.total[place] = own.contiguous()
            else:
                into.append(total)
                more.append(own)
        if into:
            torch._foreach_add_(into, more)
