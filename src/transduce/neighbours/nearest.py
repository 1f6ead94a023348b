"""The nearest states of an index, found by faiss (Johnson et al. 2019)."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import torch
from torch import Tensor

from transduce.errors import ConfigError
from transduce.neighbours.index import StateIndex

__all__ = ["Nearest"]

_AT_ONCE = 1 << 16  # states that are handed over together


class Nearest:
    """Exact search by squared distance over all states of an index."""

    def __init__(self, index: StateIndex) -> None:
        """Raises ConfigError where faiss is not installed."""
        faiss = _faiss()
        self.index = index
        # Kept in 16 bits, as in the file.
        width = index.states.shape[1]
        self._found = faiss.IndexScalarQuantizer(width, faiss.ScalarQuantizer.QT_fp16)
        for start in range(0, len(index), _AT_ONCE):
            self._found.add(index.states[start : start + _AT_ONCE].float().numpy())

    def __call__(self, states: Tensor, count: int) -> tuple[Tensor, Tensor]:
        """The ``count`` nearest (all, where there are fewer) of states ``[N, D]``.

        Squared distances float32 ``[N, C]``, nearest first, and places in the index, int64.
        """
        asked = np.ascontiguousarray(states.detach().float().cpu().numpy())
        distances, places = self._found.search(asked, min(count, len(self.index)))
        return torch.from_numpy(distances).clamp(min=0), torch.from_numpy(places)


def _faiss() -> Any:
    try:
        return importlib.import_module("faiss")
    except ImportError:
        raise ConfigError(
            "faiss must be installed to look for neighbours: pip install 'transduce[neighbours]'"
        ) from None
