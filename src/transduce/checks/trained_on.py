"""What a model was trained on, in few numbers: enough to notice that it is tested on the same."""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["PairCounter", "PairSketch"]

_KEPT = 512
_BYTES = 8


@dataclass(frozen=True)
class PairSketch:
    """The least ``hashes`` among those of all pairs (Broder 1997), and how many pairs there were.

    Of other pairs, those whose hash is not above the greatest that is kept tell what share of them
    was trained on; where all hashes are kept, that is all of them.
    """

    hashes: frozenset[int]
    pairs: int

    @classmethod
    def of(cls, pairs: Iterable[tuple[str, str]]) -> PairSketch:
        """The sketch of these pairs."""
        counter = PairCounter()
        counter.add(pairs)
        return counter.sketch()

    def share(self, pairs: Iterable[tuple[str, str]]) -> float:
        """The share of other pairs, 0 to 1, that is among these; 0 where none can be told."""
        greatest = max(self.hashes, default=-1)
        if len(self.hashes) < _KEPT:
            greatest = 1 << (8 * _BYTES)
        told = [n for n in (_hash(source, target) for source, target in pairs) if n <= greatest]
        return sum(number in self.hashes for number in told) / max(1, len(told))

    def to_dict(self) -> dict[str, Any]:
        """Plain values for the report."""
        width = 2 * _BYTES
        return {"pairs": self.pairs, "hashes": [f"{n:0{width}x}" for n in sorted(self.hashes)]}

    @classmethod
    def from_dict(cls, values: object) -> PairSketch | None:
        """None where a report holds none, or something else."""
        if not isinstance(values, Mapping):
            return None
        pairs, hashes = values.get("pairs"), values.get("hashes")
        if not isinstance(pairs, int) or not isinstance(hashes, list) or len(hashes) > _KEPT:
            return None
        try:
            return cls(frozenset(int(text, 16) for text in hashes), pairs)
        except (TypeError, ValueError):
            return None


class PairCounter:
    """Makes a sketch of pairs that come in portions. Memory does not grow with them."""

    def __init__(self) -> None:
        self._kept: list[int] = []  # a heap of negated hashes, the greatest first
        self._known: set[int] = set()
        self._count = 0

    def add(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Take in some more."""
        kept, known = self._kept, self._known
        for source, target in pairs:
            self._count += 1
            number = _hash(source, target)
            if number in known or (len(kept) == _KEPT and number > -kept[0]):
                continue
            known.add(number)
            if len(kept) < _KEPT:
                heapq.heappush(kept, -number)
            else:
                known.discard(-heapq.heappushpop(kept, -number))

    def sketch(self) -> PairSketch:
        """Of all that was added."""
        return PairSketch(frozenset(self._known), self._count)


def _hash(source: str, target: str) -> int:
    text = f"{source}\n{target}".encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(text, digest_size=_BYTES).digest(), "big")
