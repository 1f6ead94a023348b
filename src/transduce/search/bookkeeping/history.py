"""What was written, as tokens and pointers back, until a search is over."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from transduce.search.choosing.decision import FloatArray, IntArray

__all__ = ["History"]


class History:
    """One entry for each hypothesis that went on, step by step; nothing is copied later.

    An entry of step t points to the entry of step t-1 that it continues.
    """

    def __init__(self) -> None:
        self._tokens: list[IntArray] = []
        self._scores: list[FloatArray] = []
        self._origins: list[IntArray] = []

    def __len__(self) -> int:
        return len(self._tokens)

    def append(self, tokens: IntArray, scores: FloatArray, origins: IntArray) -> None:
        """A step: arrays of one size; ``origins`` are places in the step before."""
        self._tokens.append(tokens.ravel())
        self._scores.append(scores.ravel())
        self._origins.append(origins.ravel())

    def trace(self, ends: Sequence[tuple[int, int]]) -> list[tuple[list[int], list[float]]]:
        """Tokens and their scores of the hypotheses that were (number of steps, place) ``ends``.

        ``place`` is in the last of those steps.
        """
        if not self._tokens or not ends:
            return [([], []) for _ in ends]
        longest_first = sorted(range(len(ends)), key=lambda number: -ends[number][0])
        lengths = [ends[number][0] for number in longest_first]
        places = np.array([ends[number][1] for number in longest_first])
        starts = np.cumsum([0, *(len(step) for step in self._tokens)])
        path = np.zeros((len(self), len(ends)), dtype=np.int64)  # places in the joined arrays
        active = 0
        for step in range(len(self) - 1, -1, -1):
            while active < len(ends) and lengths[active] > step:
                active += 1
            path[step, :active] = places[:active] + starts[step]
            places[:active] = self._origins[step][places[:active]]
        tokens = np.concatenate(self._tokens)[path].T.tolist()  # [ends, steps]
        scores = np.concatenate(self._scores)[path].T.tolist()  # [ends, steps]
        traced: list[tuple[list[int], list[float]]] = [([], [])] * len(ends)
        for place, number in enumerate(longest_first):
            length = lengths[place]
            traced[number] = tokens[place][:length], scores[place][:length]
        return traced
