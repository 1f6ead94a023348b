"""BPE models: the pair with the best score is merged until there is none (Sennrich et al. 2016)."""

from __future__ import annotations

import heapq

from transduce.tokenization.pieces.piece_model import UNUSED, Pieces
from transduce.tokenization.pieces.whole_texts import WholeTexts
from transduce.tokenization.pieces.words import LONGEST, REMEMBERED, Cut, parted_at_spaces

__all__ = ["MergeCutter"]


class MergeCutter:
    """The pieces of a normal text: symbols of the user stay whole, all else is merged."""

    def __init__(self, pieces: Pieces) -> None:
        """Take what is needed of the model."""
        self._part = parted_at_spaces(pieces)
        self._number = pieces.number
        self._scores = {name: pieces.scores[n] for name, n in pieces.matched.items()}
        self._unused = {n for n, kind in enumerate(pieces.types) if kind == UNUSED}
        self._user_defined = WholeTexts(pieces.user_defined)
        self._known: dict[str, Cut] = {}

    def __call__(self, text: str) -> list[Cut]:
        """The pieces of each word; an unknown character is one of its own."""
        cuts: list[Cut] = []
        for word in self._part(text):
            cut = self._known.get(word)
            if cut is None:
                cut = self._merged(word)
                if len(self._known) < REMEMBERED and len(word) <= LONGEST:
                    self._known[word] = cut
            cuts.append(cut)
        return cuts

    def _symbols(self, word: str) -> tuple[list[str], list[bool]]:
        """Characters and symbols of the user, and which of them are the latter."""
        symbols: list[str] = []
        whole: list[bool] = []
        place = 0
        while place < len(word):
            symbol = self._user_defined.longest(word, place) or word[place]
            whole.append(symbol in self._user_defined)
            symbols.append(symbol)
            place += len(symbol)
        return symbols, whole

    def _merged(self, word: str) -> Cut:
        symbols, whole = self._symbols(word)
        count = len(symbols)
        before, after = list(range(-1, count - 1)), [*range(1, count), -1]
        waiting: list[tuple[float, int, int, int]] = []  # the best pair first, then the leftmost
        parts: dict[str, tuple[str, str]] = {}  # of pieces that are never given out

        def propose(left: int, right: int) -> None:
            if left < 0 or right < 0 or whole[left] or whole[right]:
                return
            pair = symbols[left] + symbols[right]
            score = self._scores.get(pair)
            if score is None:
                return
            heapq.heappush(waiting, (-score, left, right, len(pair)))
            if self._unused and self._number(pair) in self._unused:
                parts[pair] = symbols[left], symbols[right]

        for right in range(1, count):
            propose(right - 1, right)
        while waiting:
            _, left, right, length = heapq.heappop(waiting)
            first, second = symbols[left], symbols[right]
            if not first or not second or len(first) + len(second) != length:
                continue  # one of them was merged with another
            symbols[left], symbols[right] = first + second, ""
            after[left] = after[right]
            if after[right] >= 0:
                before[after[right]] = left
            propose(before[left], left)
            propose(left, after[left])
        return self._numbered([symbol for symbol in symbols if symbol], parts)

    def _numbered(self, symbols: list[str], parts: dict[str, tuple[str, str]]) -> Cut:
        cut = Cut([], [])
        symbols.reverse()
        while symbols:
            symbol = symbols.pop()
            number = self._number(symbol)
            if number in self._unused and symbol in parts:
                symbols += reversed(parts[symbol])
                continue
            cut.numbers.append(number)
            cut.surfaces.append(symbol)
        return cut
