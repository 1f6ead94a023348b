"""Unigram models: the likeliest way to cut a text (Kudo 2018), by Viterbi's algorithm."""

from __future__ import annotations

import math
import struct
from array import array

from transduce.tokenization.pieces.piece_model import NORMAL, USER_DEFINED, Pieces
from transduce.tokenization.pieces.words import LONGEST, REMEMBERED, Cut, parted_at_spaces

__all__ = ["UnigramCutter"]

_PENALTY = 10.0  # of an unknown character, below the least likely piece
_BONUS = 0.1  # of a symbol of the user for each byte but the first
_ROUNDING = 2.0**-22  # of a sum, twice over


class UnigramCutter:
    """The pieces of a normal text whose scores have the largest sum.

    SentencePiece adds scores in float32 from the start of the text, so two ways of cutting a word
    that are alike but for rounding are told apart by all that stands before it. So a word that was
    cut once is cut again only where two ways were that close. Its sum begins
    anew beyond 100,000, which is not done here: a tie behind 10,000 characters may fall otherwise.
    """

    def __init__(self, pieces: Pieces) -> None:
        """Take what is needed of the model."""
        self._part = parted_at_spaces(pieces)
        self._unknown = pieces.unknown
        both = list(zip(pieces.scores, pieces.types, strict=True))
        normal = [_single(score) for score, kind in both if kind == NORMAL]
        self._unknown_score = _single(min(normal, default=0.0) - _PENALTY)
        self._pieces: dict[str, tuple[int, float]] = {}
        self._longest: dict[str, int] = {}
        for name, number in pieces.matched.items():
            score, kind = both[number]
            if kind == USER_DEFINED:
                score = _single(_BONUS * (len(name.encode()) - 1))
            elif kind == NORMAL:
                score = _single(score)
            else:
                continue
            self._pieces[name] = number, score
            self._longest[name[0]] = max(self._longest.get(name[0], 0), len(name))
        self._worst = max(map(abs, [self._unknown_score, *normal]))
        self._known: dict[str, tuple[Cut, float]] = {}

    def __call__(self, text: str) -> list[Cut]:
        """The pieces of each word; an unknown character is one of its own."""
        cuts: list[Cut] = []
        known = self._known
        rounding = _ROUNDING * self._worst * len(text)
        for word in self._part(text):
            found = known.get(word)
            if found is None:
                found = self._likeliest(word, 0.0)
                if len(known) < REMEMBERED and len(word) <= LONGEST:
                    known[word] = found
            cut, margin = found
            if margin <= rounding * len(word):
                cut, _ = self._likeliest(word, self._sum(cuts))
            cuts.append(cut)
        return cuts

    def _sum(self, cuts: list[Cut]) -> float:
        """The sum of all scores so far, as float32 rounds it."""
        total = array("f", [0.0])
        for cut in cuts:
            for number, surface in zip(*cut, strict=True):
                own = self._unknown_score if number == self._unknown else self._pieces[surface][1]
                total[0] += own
        return total[0]

    def _likeliest(self, word: str, start: float) -> tuple[Cut, float]:
        """The pieces, and how close the closest two ways to any place were.

        ``start`` is the sum before the word.
        """
        size = len(word)
        best = array("f", [start]) * (size + 1)
        origin, number = [-1] * (size + 1), [self._unknown] * (size + 1)
        margin = math.inf
        pieces, longest = self._pieces, self._longest
        rounded = array("f", [0.0])
        for begin in range(size):
            here = best[begin]
            alone = False  # whether the character is a piece
            last = min(size, begin + longest.get(word[begin], 0))
            for end in range(begin + 1, last + 1):
                found = pieces.get(word[begin:end])
                if found is None:
                    continue
                alone = alone or end == begin + 1
                rounded[0] = found[1] + here
                total = rounded[0]
                if origin[end] >= 0:
                    margin = min(margin, abs(total - best[end]))
                    if total <= best[end]:
                        continue
                best[end], origin[end], number[end] = total, begin, found[0]
            if not alone:
                end = begin + 1
                rounded[0] = self._unknown_score + here
                total = rounded[0]
                if origin[end] >= 0:
                    margin = min(margin, abs(total - best[end]))
                    if total <= best[end]:
                        continue
                best[end], origin[end], number[end] = total, begin, self._unknown
        ends = []
        place = size
        while place > 0:
            ends.append(place)
            place = origin[place]
        ends.reverse()
        numbers = [number[end] for end in ends]
        return Cut(numbers, [word[origin[end] : end] for end in ends]), margin


def _single(value: float) -> float:
    """As float32 holds it."""
    rounded: float = struct.unpack("<f", struct.pack("<f", value))[0]
    return rounded
