"""SentencePiece's map of characters (``precompiled_charsmap``), whose numbers are all places.

uint32 size of a trie in bytes, the trie, texts that each end with a zero. The trie is a double
array (Yata 2012): from node b a byte c leads to unit b ^ c, if that unit's label is c; the
unit says where its own node is, and whether a value stands there, the place of a text. The library
that walks it looks at no bounds.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

__all__ = ["CharacterMap", "character_map", "require_whole"]

_BLOCK = 256  # units that one node may lead to
_LABEL = (1 << 31) | 0xFF  # bits that are a label only where the highest is none
_LEAF = 1 << 8
_VALUE = (1 << 31) - 1
_LONGEST = 256  # bytes that one place of a text becomes
_LARGEST = 4 << 20  # the published ones have 240 KB

Units = NDArray[np.int64]
_BYTES = np.arange(1, 256, dtype=np.int64)


@lru_cache(maxsize=4)  # both sides of a model mostly have the same one, of 240 KB
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


@lru_cache(maxsize=4)
def character_map(charsmap: bytes) -> CharacterMap:
    """The map, made once for all that read it. Raises ValueError where it is not whole."""
    return CharacterMap(charsmap)


class CharacterMap:
    """What each text is rewritten to, looked up at a place of a longer text.

    ``single`` are the characters that are rewritten by themselves, ``several`` those that begin a
    longer text that is, ``plain_seconds`` what stands second in such a text and is ASCII.
    """

    def __init__(self, charsmap: bytes) -> None:
        """Raise ValueError, its text the reason, where the map is not whole."""
        require_whole(charsmap)
        size = struct.unpack_from("<I", charsmap)[0] if charsmap else 0
        self._texts = charsmap[4 + size :]
        self._units = array("I", np.frombuffer(charsmap[4 : 4 + size], "<u4").tolist())
        self.single: set[str] = set()
        self.several: set[str] = set()
        self.plain_seconds: set[str] = set()
        self._root = self._offset(self._units[0]) if self._units else 0
        if self._units:
            self._look_at_first_characters()

    def longest(self, text: str, place: int) -> tuple[str, int] | None:
        """What the longest text that is rewritten and stands at a place becomes, and its length."""
        units, node, found = self._units, self._root, None
        if not units:
            return None
        for end in range(place, min(len(text), place + _LONGEST)):
            unit = 0
            for byte in text[end].encode():
                node ^= byte
                unit = units[node]
                if unit & _LABEL != byte or not byte:
                    return found and (self._text(found[0]), found[1])
                node ^= self._offset(unit)
            if unit & _LEAF:
                found = units[node] & _VALUE, end + 1 - place
        return found and (self._text(found[0]), found[1])

    def _text(self, start: int) -> str:
        end = self._texts.find(0, start)
        return self._texts[start : None if end < 0 else end].decode()

    @staticmethod
    def _offset(unit: int) -> int:
        return (unit >> 10) << ((unit & (1 << 9)) >> 6)

    def _look_at_first_characters(self) -> None:
        waiting = [(b"", self._root)]
        while waiting:
            key, node = waiting.pop()
            for byte, unit in self._children(node):
                whole = key + bytes((byte,))
                inner = (node ^ byte) ^ self._offset(unit)
                if len(whole) < _width(whole[0]):
                    waiting.append((whole, inner))
                elif (character := whole.decode(errors="ignore")) != "":
                    if unit & _LEAF:
                        self.single.add(character)
                    if seconds := [byte for byte, _ in self._children(inner)]:
                        self.several.add(character)
                        self.plain_seconds |= {chr(byte) for byte in seconds if byte < 0x80}

    def _children(self, node: int) -> Iterator[tuple[int, int]]:
        units = np.frombuffer(self._units, np.uint32)
        places = node ^ _BYTES
        labels = units[places] & _LABEL
        for byte in _BYTES[labels == _BYTES].tolist():
            yield byte, self._units[node ^ byte]


def _width(first: int) -> int:
    """Bytes of a character in UTF-8, by the first of them."""
    return 1 if first < 0xC0 else 2 if first < 0xE0 else 3 if first < 0xF0 else 4
