"""Files made of chunks with checksums: damaged inside, their checksums made right again."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from random import Random

from fuzz.mutations.octets import octets

__all__ = ["ogg_pages", "png_chunks"]

_PNG = b"\x89PNG\r\n\x1a\n"
_KINDS = [b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"iCCP", b"zTXt", b"iTXt", b"eXIf", b"gAMA",
          b"acTL", b"fcTL", b"fdAT", b"pHYs", b"cHRM", b"sBIT", b"bKGD", b"aaAa"]  # fmt: skip


def png_chunks(chance: Random, data: bytes) -> bytes:
    """A chunk of a PNG file damaged, packed anew, gone, doubled or of another kind."""
    if chance.random() < 0.3 or not data.startswith(_PNG):
        return octets(chance, data)
    chunks = list(_chunks(data))
    if not chunks:
        return octets(chance, data)
    place = chance.randrange(len(chunks))
    kind, content = chunks[place]
    match chance.randrange(9):
        case 0:
            del chunks[place]
        case 1:
            chunks.insert(chance.randint(0, len(chunks)), (kind, content))
        case 2:
            chunks[place] = (chance.choice(_KINDS), content)
        case 3:
            chunks.insert(
                place, (chance.choice(_KINDS), chance.randbytes(chance.choice([0, 4, 40])))
            )
        case 4 | 5 if kind == b"IDAT":
            chunks[place] = (kind, _repacked(chance, content))
        case 6:
            packed = zlib.compress(b"x" * (chance.choice([1, 3]) << 20), 9)
            name = chance.choice([b"zTXt", b"iCCP", b"iTXt"])
            flags = b"a\0" + (b"\1\0\0\0" if name == b"iTXt" else b"\0")
            chunks.insert(1, (name, flags + packed))
        case _:
            chunks[place] = (kind, octets(chance, content))
    return _PNG + b"".join(_chunk(kind, content) for kind, content in chunks)


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    place = len(_PNG)
    while place + 12 <= len(data):
        size = struct.unpack_from(">I", data, place)[0]
        yield data[place + 4 : place + 8], data[place + 8 : place + 8 + size]
        place += 12 + size


def _chunk(kind: bytes, content: bytes) -> bytes:
    return (
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
    )


def _repacked(chance: Random, content: bytes) -> bytes:
    try:
        plain = zlib.decompress(content)
    except zlib.error:
        return octets(chance, content)
    return zlib.compress(octets(chance, plain), chance.choice([0, 9]))


def ogg_pages(chance: Random, data: bytes) -> bytes:
    """Pages of an Ogg file damaged, gone, doubled or exchanged."""
    pages = [b"OggS" + page for page in data.split(b"OggS")[1:]]
    if chance.random() < 0.3 or not pages:
        return octets(chance, data)
    place = chance.randrange(len(pages))
    match chance.randrange(5):
        case 0:
            del pages[place]
        case 1:
            pages.insert(chance.randint(0, len(pages)), pages[place])
        case 2:
            other = chance.randrange(len(pages))
            pages[place], pages[other] = pages[other], pages[place]
        case _:
            head = 27 if chance.random() < 0.3 else len(pages[place])
            pages[place] = octets(chance, pages[place][:head]) + pages[place][head:]
    return b"".join(map(_summed, pages))


def _summed(page: bytes) -> bytes:
    if len(page) < 27:
        return page
    bare = page[:22] + bytes(4) + page[26:]
    return page[:22] + struct.pack("<I", _ogg_sum(bare)) + page[26:]


def _table() -> list[int]:
    found = []
    for byte in range(256):
        value = byte << 24
        for _ in range(8):
            value = (value << 1 ^ (0x04C11DB7 if value >> 31 else 0)) & 0xFFFFFFFF
        found.append(value)
    return found


_SUMS = _table()


def _ogg_sum(data: bytes) -> int:
    """The checksum of Ogg: a CRC of 32 bits, highest bit first."""
    value = 0
    for byte in data:
        value = (value << 8 ^ _SUMS[value >> 24 ^ byte]) & 0xFFFFFFFF
    return value
