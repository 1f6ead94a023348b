"""BPE-dropout: a word cut as byte-pair encoding does that forgets some of its merges."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from random import Random

__all__ = ["DroppedMerges", "Merges"]

Merges = Mapping[tuple[int, int], tuple[int, int]]  # two symbols: their merge's rank, what it gives


@dataclass(frozen=True, slots=True)
class _MergedWord:
    """The symbols of a word before each of its merges, and after the last."""

    stages: tuple[tuple[int, ...], ...]


class DroppedMerges:
    """Cuts words at random (Provilkov et al. 2020, algorithm 1).

    Byte-pair encoding makes the merge of the least rank that fits, the first of them in the word,
    until none fits. Here each that fits is left out with probability p, anew at each step.
    """

    def __init__(self, merges: Merges, share: float) -> None:
        """``share`` is p, above 0 and less than 1."""
        self._merges = merges
        self._share = share
        self._log_kept = math.log1p(-share)

    def word(self, letters: Sequence[int]) -> _MergedWord:
        """What is worth keeping of a word, given as its smallest symbols."""
        stages = [tuple(letters)]
        while fitting := self._fitting(stages[-1]):
            stages.append(self._merged(stages[-1], *fitting[0]))
        return _MergedWord(tuple(stages))

    def cut(self, word: _MergedWord, chance: Random) -> tuple[int, ...]:
        """One way to cut it.

        As long as the best merge is not left out, the others do not matter: how many steps that
        lasts is a geometric number, drawn at once.
        """
        usual = int(math.log(1.0 - chance.random()) / self._log_kept)
        if usual >= len(word.stages) - 1:
            return word.stages[-1]
        symbols, tried = word.stages[usual], 1  # there the best one was left out
        while (found := self._kept(symbols, tried, chance)) is not None:
            symbols, tried = self._merged(symbols, *found), 0
        return symbols

    def _kept(self, symbols: Sequence[int], tried: int, chance: Random) -> tuple[int, int] | None:
        """The best merge that is not left out; so many of the best already were."""
        for fitting in self._fitting(symbols)[tried:]:
            if chance.random() >= self._share:
                return fitting
        return None

    def _fitting(self, symbols: Sequence[int]) -> list[tuple[int, int]]:
        """Rank and place of each merge that fits, the best first."""
        merges = self._merges
        pairs = enumerate(pairwise(symbols))
        return sorted([(merges[pair][0], place) for place, pair in pairs if pair in merges])

    def _merged(self, symbols: tuple[int, ...], rank: int, place: int) -> tuple[int, ...]:
        _, made = self._merges[symbols[place], symbols[place + 1]]
        return (*symbols[:place], made, *symbols[place + 2 :])
