"""Which pairs of the training files are kept for dev and test, where these have no files."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable

from transduce.config import DataConfig
from transduce.reading.pair_files import Pair
from transduce.reading.split import splitter

__all__ = ["shares", "source_key", "split_key", "split_of"]


def split_of(data: DataConfig) -> Callable[[Pair], str]:
    """Says for each pair of the training files which split it is of, for ever.

    It follows from the source alone, so that one source with several targets is in one split, and
    so are sources that differ only in capitals, spaces or how their characters are composed.
    """
    test, dev = shares(data)
    side = splitter({"train": 1 - test - dev, "test": test, "dev": dev})
    key = split_key(data)
    return lambda pair: side(key(pair))


def split_key(data: DataConfig) -> Callable[[Pair], str]:
    """The text that says which split a pair is of."""
    if data.input.kind == "text":
        return lambda pair: source_key(pair.source)
    return _name


def shares(data: DataConfig) -> tuple[float, float]:
    """Of test and of dev; nothing is kept for one that has files."""
    return (
        data.test_fraction if data.test is None else 0.0,
        data.dev_fraction if data.dev is None else 0.0,
    )


def source_key(source: str) -> str:
    """What nearly equal sources have in common: small letters, one space, composed characters."""
    if not source.isascii():
        source = unicodedata.normalize("NFKC", source).casefold()
    return " ".join(source.lower().split())


def _name(pair: Pair) -> str:
    """A source's path as seen from its manifest, which may move together with it."""
    folder = os.path.join(os.path.dirname(pair.file), "")
    return pair.source.replace(folder, "")
