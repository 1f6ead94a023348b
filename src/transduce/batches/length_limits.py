"""Which pairs are too long for training, by the options of a recipe, and how often that was."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from transduce.batches.encoded_files import SIDES
from transduce.config import DataConfig

__all__ = ["LengthLimits"]

Integers = NDArray[np.integer[Any]]


class LengthLimits:
    """``max_source_length``, ``max_target_length`` and ``max_length_ratio``, applied in this order.

    ``filtered`` counts the pairs that were left out, each under the first reason; ``truncated``
    the sentences that were cut. Frames are never cut, and a ratio of frames to tokens means
    nothing.
    """

    def __init__(self, config: DataConfig, *, frames: bool = False) -> None:
        self._longest = (config.max_source_length, config.max_target_length)
        cuts = config.too_long == "truncate"
        self._cuts = (cuts and not frames, cuts)
        self._ratio = None if frames else config.max_length_ratio
        self.filtered: dict[str, int] = {}
        self.truncated: dict[str, int] = {}

    def apply(
        self, source: Integers, target: Integers
    ) -> tuple[NDArray[np.bool_], NDArray[np.int64], NDArray[np.int64]]:
        """From the lengths of P pairs, END counted, to which of them stay and what both sides'
        lengths are then, all ``[P]``.
        """
        kept = np.ones(len(source), np.bool_)
        lengths = (source.astype(np.int64), target.astype(np.int64))
        for side, longest, cuts, own in zip(SIDES, self._longest, self._cuts, lengths, strict=True):
            if longest is None:
                continue
            long = kept & (own > longest)
            if cuts:
                own[long] = longest
            else:
                kept &= ~long
            _count(self.truncated if cuts else self.filtered, f"max_{side}_length", long)
        if self._ratio is not None:
            odd = kept & (np.maximum(*lengths) > self._ratio * np.minimum(*lengths))
            kept &= ~odd
            _count(self.filtered, "max_length_ratio", odd)
        return kept, *lengths


def _count(counts: dict[str, int], option: str, found: NDArray[np.bool_]) -> None:
    if found.any():
        counts[option] = counts.get(option, 0) + int(found.sum())
