"""SentencePiece's map of characters (``precompiled_charsmap``), whose numbers are all places.

uint32 size of a trie in bytes, the trie, texts that each end with a zero. The trie is a double
array (Yata 2012): from node b a byte c leads to unit b ^ c, if that unit's label is c; the
unit says where its own node is, and whether a value stands there, the place of a text. The library
that walks it looks at no bounds.
"""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

__all__ = ["require_whole"]

_BLOCK = 256  # units that one node may lead to
_LABEL = (1 << 31) | 0xFF  # bits that are a label only where the highest is none
_LEAF = 1 << 8
_VALUE = (1 << 31) - 1
_LONGEST = 256  # bytes that one place of a text becomes
_LARGEST = 4 << 20  # the published ones have 240 KB

Units = NDArray[np.int64]


def require_whole(charsmap: bytes) -> None:
    """Raise ValueError, its text the reason, where any way through the map leads out of it."""
    if not charsmap:
        return
    if len(charsmap) > _LARGEST:
        raise ValueError(f"the map of characters must have {_LARGEST} bytes at most")
    if len(charsmap) < 4 or (size := struct.unpack_from("<I", charsmap)[0]) > len(charsmap) - 4:
        raise ValueError("the map of characters must be as long as it says")
    if not size or size % (4 * _BLOCK):
        raise ValueError("the map of characters must have whole blocks of units")
    units = np.frombuffer(charsmap, "<u4", size // 4, 4).astype(np.int64)
    texts = charsmap[4 + size :]
    try:
        texts.decode("utf-8")
    except UnicodeDecodeError:
        raise ValueError("the map of characters must lead to UTF-8") from None
    starts = _values(units)
    if not len(starts):
        return
    if starts.max() >= len(texts) or starts.min() < 0:
        raise ValueError("the map of characters must lead to texts that it has")
    bytes_ = np.frombuffer(texts, np.uint8)
    if ((bytes_[starts] & 0xC0) == 0x80).any():
        raise ValueError("the map of characters must lead to whole characters")
    ends = np.append(np.flatnonzero(bytes_ == 0), len(bytes_))
    if (ends[np.searchsorted(ends, starts)] - starts).max() > _LONGEST:
        raise ValueError(f"the map of characters must lead to {_LONGEST} bytes at most")


def _values(units: Units) -> Units:
    """The values of all nodes that can be reached. Raises ValueError where one is outside."""
    count = len(units)
    offsets = (units >> 10) << ((units & (1 << 9)) >> 6)
    labels = units & _LABEL
    every = np.arange(1, 256)
    nodes = offsets[:1]
    seen = np.zeros(count, dtype=np.bool_)
    values = [np.zeros(0, np.int64)]
    while len(nodes):
        if nodes.max() >= count:
            raise ValueError("the map of characters must lead to units that it has")
        seen[nodes] = True
        found = []
        for node in np.array_split(nodes, max(1, len(nodes) // 4096)):
            places = node[:, None] ^ every
            found.append(places[labels[places] == every])
        reached = np.concatenate(found)
        nodes = reached ^ offsets[reached]
        if len(nodes) and nodes.max() >= count:
            raise ValueError("the map of characters must lead to units that it has")
        values.append(units[nodes[(units[reached] & _LEAF) > 0]] & _VALUE)
        nodes = np.unique(nodes[~seen[nodes]])
    return np.concatenate(values)
