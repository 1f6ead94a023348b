"""Splitting data by a hash, so that equal texts always fall on the same side."""

from __future__ import annotations

import hashlib
import math
import unicodedata
from collections.abc import Mapping

from transduce.errors import ConfigError

__all__ = ["hash_split"]


def hash_split(text: str, parts: Mapping[str, float]) -> str:
    """Name the part that a text belongs to, for ever and on every machine.

    ``parts`` gives each part's share, in order: ``{"dev": 0.05, "train": 0.95}``.
    The text (in NFC, so that its spelling in code points does not matter) is
    hashed with BLAKE2b to a number in [0, 1), and the shares are laid along
    that line. Raises ConfigError where the shares are negative or do not sum to 1.
    """
    total = math.fsum(parts.values())
    if not parts or min(parts.values()) < 0 or not math.isclose(total, 1, abs_tol=1e-9):
        raise ConfigError(f"parts of a split must be shares that sum to 1; got {dict(parts)}")
    normal = unicodedata.normalize("NFC", text).encode("utf-8", "surrogatepass")
    digest = hashlib.blake2b(normal, digest_size=8).digest()
    place = int.from_bytes(digest, "big") / 2**64
    edge = 0.0
    chosen = ""
    for name, share in parts.items():
        if share > 0:
            chosen = name
            edge += share
            if place < edge:
                break
    return chosen
