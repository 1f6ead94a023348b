"""How likely each target token is as the translation of each source token, from pairs alone.

IBM model 1 (Brown et al. 1993, equation 18): each token of a target is the translation of one token
of its source, whichever, or of none. Expectation and maximization by turns:

    a(s, t) = p(t | s) / Σ_{s' in source} p(t | s')        of each pair of a sentence
    p(t | s) = Σ a(s, t) / Σ_t' Σ a(s, t')
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from transduce.interfaces import PADDING

__all__ = ["Lexicon", "Pairs", "Rows", "learn_lexicon"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

NOTHING = PADDING  # the source token that what has no translation is the translation of

_LINKS = 1 << 20  # of a source token and a target token that are looked at together
_MOST_LINKS = 1 << 26  # that are remembered: 300 MB
_ROUNDS = 5


class Rows(Protocol):
    """Sentences one after another: ``tokens`` ``[N]``, ``lengths`` and ``starts`` ``[P]``."""

    @property
    def tokens(self) -> NDArray[np.integer[Any]]:
        """Of all sentences."""
        ...

    @property
    def lengths(self) -> NDArray[np.int32]:
        """Of each."""
        ...

    @property
    def starts(self) -> NDArray[np.int64]:
        """Where each begins."""
        ...


class Pairs(Protocol):
    """Sources and their targets, END among the tokens of both."""

    @property
    def source(self) -> Rows:
        """The sources."""
        ...

    @property
    def target(self) -> Rows:
        """What each becomes."""
        ...


@dataclass(frozen=True)
class Lexicon:
    """``probabilities`` ``[L]`` of the ``targets`` of each source token, whose own begin at
    ``offsets`` ``[S + 1]``.
    """

    offsets: Integers
    targets: Integers
    probabilities: Floats

    @classmethod
    def of_counts(cls, keys: Integers, counts: Floats, sizes: tuple[int, int]) -> Lexicon:
        """Of how often source token s and target token t belong together, ``keys`` being
        ``s · V + t``, rising; ``sizes`` are those of the vocabularies.
        """
        sources, targets = np.divmod(keys, sizes[1])
        totals = np.bincount(sources, counts, sizes[0])
        offsets = np.searchsorted(sources, np.arange(sizes[0] + 1))
        return cls(offsets, targets, counts / np.maximum(totals, 1e-300)[sources])

    def likeliest(self, count: int, least: float = 0.0) -> tuple[Integers, Integers]:
        """The ``count`` likeliest targets of each source token, those of at least the probability
        ``least``: offsets ``[S + 1]`` and targets.
        """
        sizes = np.diff(self.offsets)
        sources = np.repeat(np.arange(len(sizes)), sizes)
        order = np.lexsort((self.targets, -self.probabilities, sources))
        rank = np.arange(len(order)) - self.offsets[:-1].repeat(sizes)
        kept = order[(rank < count) & (self.probabilities[order] >= least)]
        ends = np.cumsum(np.bincount(sources[kept], minlength=len(sizes)))
        return np.concatenate([[0], ends]), self.targets[kept]


def learn_lexicon(pairs: Pairs, sizes: tuple[int, int], rounds: int = _ROUNDS) -> Lexicon:
    """The lexicon of a corpus, of every n-th pair where it is large.

    ``sizes`` are those of its vocabularies.
    """
    all_links = list(_links(pairs, sizes))
    keys = np.unique(np.concatenate([links.keys for links in all_links] or [_none()]))
    offsets = np.searchsorted(keys // sizes[1], np.arange(sizes[0] + 1))
    sources = np.repeat(np.arange(sizes[0]), np.diff(offsets))
    weights = np.ones(len(keys))  # before the first round each translation is as likely as others
    for _ in range(rounds):
        counts = np.zeros(len(keys))
        for links in all_links:
            own = np.searchsorted(keys, links.keys)
            each = weights[own][links.which]
            each /= np.add.reduceat(each, links.starts).repeat(links.sizes)
            counts[own] += np.bincount(links.which, each, len(own))
        weights = counts / np.maximum(np.bincount(sources, counts, sizes[0]), 1e-300)[sources]
    return Lexicon(offsets, keys % sizes[1], weights)


@dataclass(frozen=True)
class _Links:
    """Every target token with every token of its source, a target token's own in a line.

    Link n is of the two tokens ``keys[which[n]]``; those of a target token begin at ``starts``.
    """

    keys: Integers
    which: NDArray[np.int32]
    starts: Integers
    sizes: Integers


def _links(pairs: Pairs, sizes: tuple[int, int]) -> Iterator[_Links]:
    """Those of the pairs, some together."""
    source, target = pairs.source, pairs.target
    links = (source.lengths.astype(np.int64) + 1) * target.lengths  # with what stands for nothing
    every = -(-int(links.sum()) // _MOST_LINKS)
    chosen = np.arange(0, len(links), max(1, every))
    ends = np.cumsum(links[chosen])
    first = 0
    while first < len(ends):
        before = int(ends[first - 1]) if first else 0
        last = max(first + 1, int(np.searchsorted(ends, before + _LINKS, side="right")))
        yield _links_of(pairs, sizes[1], chosen[first:last])
        first = last


def _links_of(pairs: Pairs, size: int, some: Integers) -> _Links:
    source, target = pairs.source, pairs.target
    # Each sentence's source behind the token that stands for nothing.
    lengths = source.lengths[some].astype(np.int64) + 1
    begins = np.cumsum(lengths) - lengths
    sources = np.full(int(lengths.sum()), NOTHING, dtype=np.int64)
    inner = np.ones(len(sources), dtype=bool)
    inner[begins] = False
    sources[inner] = source.tokens[_places(source.starts[some], lengths - 1)]
    targets = target.tokens[_places(target.starts[some], target.lengths[some])].astype(np.int64)
    each = lengths.repeat(target.lengths[some])  # how many source tokens a target token has
    places = _places(begins.repeat(target.lengths[some]), each)
    both = sources[places] * size + targets.repeat(each)
    keys, which = np.unique(both, return_inverse=True)
    return _Links(keys, which.astype(np.int32), np.cumsum(each) - each, each)


def _places(starts: Integers, lengths: NDArray[np.integer[Any]]) -> Integers:
    """``starts[i], starts[i] + 1, …`` for ``lengths[i]`` places each, one after another."""
    lengths = lengths.astype(np.int64)
    shifts = starts - (np.cumsum(lengths) - lengths)
    places: Integers = np.arange(int(lengths.sum())) + shifts.repeat(lengths)
    return places


def _none() -> Integers:
    return np.empty(0, dtype=np.int64)
