"""Finding duplicates (16 bytes a pair) and pairs on both sides of a split."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from transduce.reading.pair_files import Pair

__all__ = ["Fingerprints", "Leakage", "LeakageCounter"]

Hashes = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Leakage:
    """How many of ``total`` pairs of dev or test also stand in train.

    ``pairs`` counts those with equal source and target, ``sources`` those whose
    source occurs in train with whatever target.
    """

    pairs: int
    sources: int
    total: int

    def __bool__(self) -> bool:
        return self.sources > 0

    def __str__(self) -> str:
        return (
            f"{self.sources:,} of {self.total:,} sources also in train, "
            f"{self.pairs:,} with the same target"
        )

    def to_dict(self) -> dict[str, int]:
        """Plain values for the log."""
        return asdict(self)


class Fingerprints:
    """64-bit hashes of the sources and pairs of a corpus, in its order.

    Good within one process only. Two different texts among n collide with a
    probability of about n² / 2⁶⁵: one in a million for 5 million pairs.
    """

    def __init__(self) -> None:
        self._sources = array("q")
        self._pairs = array("q")

    def __len__(self) -> int:
        return len(self._sources)

    def add(self, pair: Pair) -> None:
        """Take in one pair."""
        self._sources.append(hash(pair.source))
        self._pairs.append(hash((pair.source, pair.target)))

    @property
    def sources(self) -> Hashes:
        """int64 ``[pairs]``."""
        return np.array(self._sources, dtype=np.int64)

    @property
    def pairs(self) -> Hashes:
        """int64 ``[pairs]``."""
        return np.array(self._pairs, dtype=np.int64)

    def repeats(self) -> npt.NDArray[np.intp]:
        """Indices of the pairs that stood there before, ascending."""
        pairs = self.pairs
        first = np.unique(pairs, return_index=True)[1]
        again = np.ones(len(pairs), dtype=np.bool_)
        again[first] = False
        return np.flatnonzero(again)

    def ambiguous(self) -> tuple[int, npt.NDArray[np.intp]]:
        """Sources with several targets: how many, and the index of each one's second target."""
        first = np.unique(self.pairs, return_index=True)[1]
        first.sort()
        sources = self.sources[first]
        order = np.argsort(sources, kind="stable")
        new = np.ones(len(order), dtype=np.bool_)
        new[1:] = sources[order][1:] != sources[order][:-1]
        # The second of each run of equal sources, in the order of the corpus.
        second = ~new
        second[1:] &= new[:-1]
        indices = np.sort(first[order[second]])
        return len(indices), indices

    def leaks_from(self, train: Fingerprints) -> tuple[Leakage, npt.NDArray[np.intp]]:
        """What of this corpus is in ``train``, and the indices of pairs whose source is."""
        sources = np.isin(self.sources, train.sources)
        pairs = np.isin(self.pairs, train.pairs)
        leakage = Leakage(int(pairs.sum()), int(sources.sum()), len(self))
        return leakage, np.flatnonzero(sources)


class LeakageCounter:
    """Counts what of dev or test stands in train too, while train passes by.

    Only the dev pairs are held, and what was found of them.
    """

    def __init__(self, dev_pairs: Iterable[Pair]) -> None:
        self._dev = [(pair.source, pair.target) for pair in dev_pairs]
        self._sources = {source for source, _ in self._dev}
        self._found_sources: set[str] = set()
        self._found_pairs: set[tuple[str, str | None]] = set()

    def add(self, train_pairs: Iterable[Pair]) -> None:
        """Take in some pairs of train."""
        sources = self._sources
        known = [(pair.source, pair.target) for pair in train_pairs if pair.source in sources]
        self._found_sources.update(source for source, _ in known)
        self._found_pairs.update(known)

    @property
    def sources(self) -> frozenset[str]:
        """Sources of dev that train has too, so far."""
        return frozenset(self._found_sources)

    def leakage(self) -> Leakage:
        """What was found so far."""
        return Leakage(
            pairs=sum(pair in self._found_pairs for pair in self._dev),
            sources=sum(source in self._found_sources for source, _ in self._dev),
            total=len(self._dev),
        )
