"""How much attention the open hypotheses have given to each source position."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from transduce.search.choosing.decision import IntArray
from transduce.search.rules.lengths import coverage_penalty

__all__ = ["Coverage"]


class Coverage:
    """Attention summed over the steps, ``[N, S]``, on the device. Letters as in ``live.py``."""

    def __init__(self, weight: float, summed: Tensor, mask: Tensor) -> None:
        """``summed`` ``[N, S]``; ``mask`` bool ``[N, S]``, true at real source positions."""
        self._weight = weight
        self._before = self._after = summed
        self._mask = mask

    def add(self, attention: Tensor) -> None:
        """Count weights ``[N, S]`` of a step before the first that is decided."""
        self._before = self._after = self._after + attention

    def look(self, attention: Tensor) -> None:
        """Add a step's weights ``[N, S']``; columns that went were padding to all."""
        columns = attention.shape[1]
        self._mask, self._before = self._mask[:, :columns], self._before[:, :columns]
        self._after = self._before + attention

    def penalties(self, rows: Sequence[int], *, before: bool = False) -> list[float]:
        """Of some hypotheses, this step counted or as they were ``before`` it."""
        if not rows:
            return []
        chosen = torch.tensor(rows, device=self._mask.device)
        seen = (self._before if before else self._after)[chosen]
        found: list[float] = coverage_penalty(seen, self._mask[chosen], self._weight).tolist()
        return found

    def follow(self, rows: IntArray) -> None:
        """Go on with hypotheses that continue these (int64)."""
        chosen = torch.from_numpy(rows).to(self._mask.device).flatten()  # [M, W] → [N]
        self._before, self._mask = self._after[chosen], self._mask[chosen]
