"""Splitting data by a hash, so that equal texts always fall on the same side."""

from __future__ import annotations

import hashlib
import math
import unicodedata
from bisect import bisect_right
from collections.abc import Callable, Mapping
from itertools import accumulate

from transduce.errors import ConfigError

__all__ = ["hash_split", "place", "splitter"]


def hash_split(text: str, splits: Mapping[str, float]) -> str:
    """Name the split that a text belongs to, for ever and on every machine.

    ``splits`` gives each split's share, in order: ``{"dev": 0.05, "train": 0.95}``.
    The text (in NFC, so that its spelling in code points does not matter) is
    hashed with BLAKE2b to a number in [0, 1), and the shares are laid along
    that line. Raises ConfigError where the shares are negative or do not sum to 1.
    """
    return splitter(splits)(text)


def splitter(splits: Mapping[str, float]) -> Callable[[str], str]:
    """:func:`hash_split` for many texts with the same splits."""
    total = math.fsum(splits.values())
    if not splits or min(splits.values()) < 0 or not math.isclose(total, 1, abs_tol=1e-9):
        raise ConfigError(f"splits must be shares that sum to 1; got {dict(splits)}")
    names = [name for name, share in splits.items() if share > 0]
    edges = list(accumulate(splits[name] for name in names))[:-1]  # the last one takes the rest
    return lambda text: names[bisect_right(edges, place(text))]


def place(text: str) -> float:
    """Where on the line from 0 to 1 a text falls."""
    if text.isascii():
        normal = text.encode()
    else:
        normal = unicodedata.normalize("NFC", text).encode("utf-8", "surrogatepass")
    digest = hashlib.blake2b(normal, digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64
