"""Pickled weights: words of the pickle changed, numbers, names and order among them."""

from __future__ import annotations

import io
import itertools
import pickletools
import struct
from random import Random

from fuzz.mutations.octets import NUMBERS, octets
from fuzz.mutations.packed import in_zip

__all__ = ["pickled", "pickled_archive"]

_NAMES = [
    *(b"torch FloatStorage", b"torch LongStorage", b"torch._utils _rebuild_tensor_v2"),
    *(
        b"torch._utils _rebuild_parameter",
        b"collections OrderedDict",
        b"os system",
        b"builtins eval",
    ),
    *(b"torch HalfStorage", b"torch BoolStorage", b"builtins getattr", b"torch.nn Module"),
]
_WORDS = [
    *(b"}", b"]", b")", b"N", b"\x88", b"(", b"0", b"1", b"2", b"R", b"b", b"Q", b"u", b"s", b"a"),
    *(b"e", b"t", b"\x85", b"\x86", b"\x87", b".", b"\x81", b"\x93", b"c", b"i", b"o"),
]
_MOST = 2000  # words of a pickle


def pickled(chance: Random, data: bytes) -> bytes:
    """A pickle, and what stands behind it, with a few of its words changed."""
    if chance.random() < 0.25:
        return octets(chance, data)
    words, rest = _words(data)
    if not words:
        return octets(chance, data)
    for _ in range(chance.choice([1, 1, 1, 2, 3])):
        place = chance.randrange(len(words))
        match chance.randrange(6):
            case 0:
                words[place] = b""
            case 1:
                words.insert(chance.randrange(len(words)), words[place])
            case 2:
                words[place] = chance.choice(_WORDS)
            case _:
                words[place] = _changed(chance, words[place])
    return b"".join(words) + rest


def _changed(chance: Random, word: bytes) -> bytes:
    match word[:1]:
        case b"J" | b"K" | b"M":
            number = chance.choice([0, 1, 2, 3, 5, 40, *NUMBERS])
            return b"J" + struct.pack("<I", number % (1 << 32))
        case b"X":
            text = chance.choice([b"", b"cpu", b"storage", b"0", b"1", b"a", b"\xff", b"x" * 5000])
            return b"X" + struct.pack("<I", len(text)) + text
        case b"c":
            module, name = chance.choice(_NAMES).split()
            return b"c" + module + b"\n" + name + b"\n"
        case b"\x8a":
            return b"\x8a" + bytes([chance.choice([0, 1, 8, 40])]) + chance.randbytes(8)
    return octets(chance, word) if word else chance.choice(_WORDS)


def _words(data: bytes) -> tuple[list[bytes], bytes]:
    places = []
    end = 0
    stream = io.BytesIO(data)
    try:
        while len(places) < _MOST:  # of all pickles that stand behind each other
            places += [place for _, _, place in pickletools.genops(stream) if place is not None]
            end = stream.tell()
    except Exception:  # what stands behind the last is none
        places = [place for place in places if place < end]
    edges = [*places, end]
    return [data[a:b] for a, b in itertools.pairwise(edges)], data[end:]


pickled_archive = in_zip(pickled)
