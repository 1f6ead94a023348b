"""Training a unigram language model of pieces (Kudo 2018), deterministic.

The trainer of Hugging Face ``tokenizers`` goes through its words in an order
that differs from run to run, so equal input gives unequal pieces; this one
gives the same. Encoding is theirs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["train_unigram"]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

LONGEST_WORD = 24  # characters; longer words are cut for training, so that no product underflows
MAXIMUM_CHARACTERS = 1_000_000  # of distinct words, the most frequent first
SHRINK = 0.75  # share of the pieces that survives a round of pruning
STEPS = 2  # of expectation-maximisation in a round
FLOOR = 1e-10  # least probability of a piece, so that every character stays possible


def train_unigram(
    words: Mapping[str, int], seeds: Sequence[str], size: int
) -> list[tuple[str, float]]:
    """Choose pieces and their log-probabilities.

    ``words`` says how often each word occurs; ``seeds`` are the candidates,
    single characters (always kept) among them. Expectation-maximisation of
    ``p(word) = Σ over its cuttings of Π p(piece)`` alternates with dropping the
    pieces whose loss, expected count × (log p(piece) − log p(piece spelled with
    the others)), is least, until at most ``size`` are left. The result is
    ordered by falling probability, then by code point.
    """
    pieces = sorted(set(seeds))
    number = {piece: n for n, piece in enumerate(pieces)}
    single = np.array([len(piece) == 1 for piece in pieces], dtype=bool)
    counts = _training_words(words, number)
    lattice = _Lattice.build(list(counts), number)
    own = _Lattice.build(pieces, number, whole=False)
    frequency = np.array(list(counts.values()), dtype=np.float64)
    alive = np.ones(len(pieces), dtype=bool)
    expected = _first_guess(lattice, frequency, len(pieces))
    while True:
        for _ in range(STEPS):
            expected = lattice.expected(_probabilities(expected, alive), frequency)
        left = int(alive.sum())
        if left <= size or not (alive & ~single).any():
            break
        probability = _probabilities(expected, alive)
        loss = expected * (np.log(probability + 1e-300) - own.log_totals(probability))
        loss[single] = np.inf
        loss[~alive] = -np.inf
        keep = max(size, int(left * SHRINK), int(single.sum()))
        # Stable: pieces of equal loss stay in the order of their code points.
        alive[:] = False
        alive[np.argsort(-loss, kind="stable")[:keep]] = True
        lattice, own = lattice.without(~alive), own.without(~alive)
        expected = np.where(alive, expected, 0.0)
    score = np.log(_probabilities(expected, alive) + 1e-300)
    order = sorted(np.flatnonzero(alive), key=lambda n: (-score[n], pieces[n]))
    # Few digits: the library then reads back exactly what it wrote.
    return [(pieces[n], round(float(score[n]), 6)) for n in order]


def _training_words(words: Mapping[str, int], number: Mapping[str, int]) -> dict[str, int]:
    """Words cut where a character is unknown or the limit is reached, the most frequent first."""
    counts: dict[str, int] = {}
    room = MAXIMUM_CHARACTERS
    for word in sorted(words, key=lambda word: (-words[word], word)):
        cut = "".join(c if c in number else "\0" for c in word).split("\0")
        for run in cut:
            for start in range(0, len(run), LONGEST_WORD):
                chunk = run[start : start + LONGEST_WORD]
                room -= 0 if chunk in counts else len(chunk)
                counts[chunk] = counts.get(chunk, 0) + words[word]
        if room <= 0:
            break
    return counts


def _first_guess(lattice: _Lattice, frequency: Floats, pieces: int) -> Floats:
    """How often each piece occurs at all, overlaps included."""
    totals = np.bincount(lattice.piece, frequency[lattice.word], minlength=pieces)
    return totals.astype(np.float64)


def _probabilities(expected: Floats, alive: NDArray[np.bool_]) -> Floats:
    total = expected.sum() or 1.0
    return np.where(alive, np.maximum(expected / total, FLOOR), 0.0)


@dataclass(frozen=True, slots=True)
class _Lattice:
    """All places where pieces fit into words: one entry an edge, ``[E]``.

    Node ``(word, position)`` has the number ``word · width + position``.
    """

    words: int
    width: int
    lengths: Ints
    word: Ints
    start: Ints
    end: Ints
    piece: Ints

    @classmethod
    def build(
        cls, words: Sequence[str], number: Mapping[str, int], *, whole: bool = True
    ) -> _Lattice:
        """Find the edges; ``whole=False`` leaves out a piece that is all of its word."""
        longest = max(map(len, number), default=1)
        edges: list[tuple[int, int, int, int]] = []
        for row, word in enumerate(words):
            length = len(word)
            for start in range(length):
                for end in range(start + 1, min(start + longest, length) + 1):
                    piece = number.get(word[start:end])
                    if piece is not None and (whole or end - start < length):
                        edges.append((row, start, end, piece))
        table = np.array(edges, dtype=np.int64).reshape(-1, 4)
        lengths = np.array([len(word) for word in words], dtype=np.int64)
        width = int(lengths.max(initial=0)) + 1
        return cls(len(words), width, lengths, *table.T)

    def without(self, dead: NDArray[np.bool_]) -> _Lattice:
        """Leave out the edges of some pieces."""
        kept = ~dead[self.piece]
        return _Lattice(
            self.words,
            self.width,
            self.lengths,
            self.word[kept],
            self.start[kept],
            self.end[kept],
            self.piece[kept],
        )

    def expected(self, probability: Floats, frequency: Floats) -> Floats:
        """Expected count of each piece, ``[P]``, by the forward-backward algorithm."""
        weight = probability[self.piece]
        forward = self._sums(weight, self.start, self.end, np.zeros_like(self.lengths))
        backward = self._sums(
            weight,
            (self.width - 1) - self.end,
            (self.width - 1) - self.start,
            (self.width - 1) - self.lengths,
        )[:, ::-1]
        total = forward[np.arange(self.words), self.lengths]
        share = np.divide(frequency, total, out=np.zeros_like(frequency), where=total > 0)
        edge = forward[self.word, self.start] * weight * backward[self.word, self.end]
        return np.bincount(self.piece, edge * share[self.word], minlength=len(probability)).astype(
            np.float64
        )

    def log_totals(self, probability: Floats) -> Floats:
        """Log-probability of each word over all its cuttings, ``[W]``."""
        weight = probability[self.piece]
        forward = self._sums(weight, self.start, self.end, np.zeros_like(self.lengths))
        return np.log(forward[np.arange(self.words), self.lengths] + 1e-300)

    def _sums(self, weight: Floats, start: Ints, end: Ints, origin: Ints) -> Floats:
        """Sum over all paths from each word's origin to each node, ``[W, width]``."""
        sums = np.zeros((self.words, self.width))
        sums[np.arange(self.words), origin] = 1.0
        order = np.argsort(end, kind="stable")
        bounds = np.searchsorted(end[order], np.arange(self.width + 1))
        for position in range(1, self.width):
            edges = order[bounds[position] : bounds[position + 1]]
            rows = self.word[edges]
            arriving = sums[rows, start[edges]] * weight[edges]
            sums[:, position] += np.bincount(rows, arriving, minlength=self.words)
        return sums
