"""Unigram sampling: a word cut by what each cutting is likely to be."""

from __future__ import annotations

import math
from bisect import bisect
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate
from random import Random

__all__ = ["SampledPieces"]


@dataclass(frozen=True, slots=True)
class _CutWord:
    """At each place of a word the pieces that may come next.

    ``sums`` are the running sums of their probabilities, ``choices`` the number of each and where
    it ends.
    """

    sums: tuple[tuple[float, ...], ...]
    choices: tuple[tuple[tuple[int, int], ...], ...]


class SampledPieces:
    """Cuts words at random (Kudo 2018, section 3.1): ``P(x) ∝ Π_i p(x_i)^α`` over all cuttings.

    All cuttings are drawn from, not the best few (``l = ∞``): sums from the end of a word backwards
    give the probability of each next piece (forward-filtering, backward-sampling; Scott 2002).
    """

    def __init__(self, pieces: Mapping[str, tuple[int, float]], power: float) -> None:
        """``pieces`` have a number and a log-probability; ``power`` is α, above 0."""
        self._pieces = pieces
        self._power = power
        self._longest = max(map(len, pieces), default=0)

    def word(self, text: str) -> _CutWord | None:
        """What is worth keeping of a word; None where pieces do not spell it."""
        length = len(text)
        totals = [0.0] * length + [1.0]  # of all cuttings of what begins here, each place rescaled
        logs = [-math.inf] * length + [0.0]
        found: list[list[tuple[int, int, float]]] = [[] for _ in range(length)]
        for start in range(length - 1, -1, -1):
            for end in range(start + 1, min(length, start + self._longest) + 1):
                piece = self._pieces.get(text[start:end])
                if piece is not None and logs[end] > -math.inf:
                    found[start].append((piece[0], end, self._power * piece[1] + logs[end]))
            if found[start]:
                top = max(log for _, _, log in found[start])
                totals[start] = sum(math.exp(log - top) for _, _, log in found[start])
                logs[start] = top + math.log(totals[start])
        if logs[0] == -math.inf:
            return None
        return _CutWord(
            tuple(
                tuple(accumulate(math.exp(log - logs[start]) for _, _, log in each))
                for start, each in enumerate(found)
            ),
            tuple(tuple((number, end) for number, end, _ in each) for each in found),
        )

    def cut(self, word: _CutWord, chance: Random) -> list[int]:
        """One way to cut it."""
        numbers, place = [], 0
        while place < len(word.sums):
            sums, choices = word.sums[place], word.choices[place]
            drawn = 0 if len(choices) == 1 else bisect(sums, chance.random() * sums[-1])
            number, place = choices[min(drawn, len(choices) - 1)]
            numbers.append(number)
        return numbers
