"""Recordings whose header tells of less than they hold: WAV, AIFF, AU and FLAC.

The library that decodes ends where the header says. So the length that is told is held against
the size of the file and, of a FLAC, whose size says nothing, against the number of its last frame.
"""

from __future__ import annotations

from typing import BinaryIO, Literal, NamedTuple

from transduce.untrusted.pieces import Piece

__all__ = ["FEW", "header_mended"]

FEW = 1 << 10  # bytes that a header may be wrong by
_MOST_CHUNKS = 1000
_UNKNOWN = b"\xff\xff\xff\xff"
_Order = Literal["little", "big"]


def header_mended(file: BinaryIO, start: int, size: int) -> list[Piece] | None:
    """What is to be read in the file's place, where its header tells too little; else None."""
    file.seek(start)
    head = file.read(12)
    match head[:4], head[8:]:
        case b"RIFF" | b"RF64", b"WAVE":
            return _wav(file, start, size, "little")
        case b"RIFX", b"WAVE":
            return _wav(file, start, size, "big")
        case b"FORM", b"AIFF" | b"AIFC":
            return _aiff(file, start, size)
        case b".snd", _:
            return _au(file, start, size)
        case b"fLaC", _:
            return _flac(file, start, size)
    return None


# ---------------------------------------------------------------- chunks


class _Chunk(NamedTuple):
    """``place`` is that of its name, ``length`` what is told of what follows its eight bytes."""

    place: int
    length: int


def _find_chunk(file: BinaryIO, place: int, name: bytes, order: _Order) -> _Chunk | None:
    for _ in range(_MOST_CHUNKS):
        file.seek(place)
        head = file.read(8)
        if len(head) < 8:
            return None
        length = int.from_bytes(head[4:], order)
        if head[:4] == name:
            return _Chunk(place, length)
        place += 8 + length + length % 2
    return None


def _another_follows(file: BinaryIO, end: int) -> bool:
    """Whether at the end of a chunk stands the name of a next one."""
    file.seek(end)
    follows = file.read(4)
    return follows.isascii() and follows.decode().isprintable()


def _wav(file: BinaryIO, start: int, size: int, order: _Order) -> list[Piece] | None:
    """With sizes that say nothing; a header that was written first, and never again, too."""
    data = _find_chunk(file, start + 12, b"data", order)
    if data is None:
        return None
    file.seek(start)
    name = file.read(4)
    length, told = data.length, start + 8 + int.from_bytes(file.read(4), order)
    if name == b"RF64" and length == 0xFFFFFFFF:  # the sizes of large files stand in a chunk
        large = _find_chunk(file, start + 12, b"ds64", order)
        if large is None or large.length < 16:
            return None
        file.seek(large.place + 16)
        length = int.from_bytes(file.read(8), order)
    begin, end = data.place + 8, data.place + 8 + length
    never_told = length == 0 and told <= begin
    if end + FEW >= size and not (never_told and end < size):
        return None
    if not never_told and _another_follows(file, end + length % 2):
        return None
    name = b"RIFF" if name == b"RF64" else name  # which believes the sizes again
    return [name, _UNKNOWN, (start + 8, data.place + 4), _UNKNOWN, (begin, size)]


def _aiff(file: BinaryIO, start: int, size: int) -> list[Piece] | None:
    sound = _find_chunk(file, start + 12, b"SSND", "big")
    if sound is None:
        return None
    begin, end = sound.place + 8, sound.place + 8 + sound.length
    if end + FEW >= size or _another_follows(file, end + sound.length % 2):
        return None
    whole, inside = (
        min(n, 0xFFFFFFFE).to_bytes(4, "big") for n in (size - start - 8, size - begin)
    )
    return [b"FORM", whole, (start + 8, sound.place + 4), inside, (begin, size)]


def _au(file: BinaryIO, start: int, size: int) -> list[Piece] | None:
    """Of which nothing stands behind the sound."""
    file.seek(start + 4)
    begin = start + int.from_bytes(file.read(4), "big")
    length = int.from_bytes(file.read(4), "big")
    if begin + length + (FEW if length else 0) >= size:
        return None
    return [(start, start + 8), _UNKNOWN, (start + 12, size)]


# ---------------------------------------------------------------- FLAC (RFC 9639)

# Samples of a frame by their code; 6 and 7 say that the number follows.
_SIZES = {1: 192} | {n: 144 << n for n in range(2, 6)} | {n: 1 << n for n in range(8, 16)}
_STREAM_INFO = 34  # bytes
_MOST_FRAME = 1 << 20  # bytes of the end that are looked through
_MOST_SAMPLES = (1 << 36) - 1
_TAGS = 1 << 14  # bytes that may stand behind the last frame


def _flac(file: BinaryIO, start: int, size: int) -> list[Piece] | None:
    """With as many samples as its last frame says, where that ends behind those that are told."""
    file.seek(start + 4)
    if file.read(4)[:1] not in (b"\x00", b"\x80"):
        return None
    info = file.read(_STREAM_INFO)
    if len(info) < _STREAM_INFO:
        return None
    block, longest = int.from_bytes(info[:2], "big"), int.from_bytes(info[7:10], "big")
    packed = int.from_bytes(info[10:18], "big")  # rate 20, channels 3, bits 5, samples 36
    told = packed & _MOST_SAMPLES
    looked_at = _TAGS + 2 * (longest or _MOST_FRAME)
    file.seek(max(start + 8 + _STREAM_INFO, size - looked_at))
    if told == 0 or (end := _flac_end(file.read(looked_at), block)) <= told:
        return None
    true = (packed & ~_MOST_SAMPLES | min(end, _MOST_SAMPLES)).to_bytes(8, "big")
    return [(start, start + 18), true, (start + 26, size)]


def _flac_end(data: bytes, block: int) -> int:
    """Where the last frame ends, in samples: one that begins where another ends, or is the first.

    0 if there is none.
    """
    place = len(data)
    later: dict[int, int] = {}  # where frames begin, and where they end
    while (place := data.rfind(b"\xff", 0, place)) >= 0:
        if (frame := _frame(data[place : place + 16], block)) is None:
            continue
        begin, end = frame
        if end in later:
            return later[end]
        if begin == 0:
            return end
        later[begin] = end
    return 0


def _frame(head: bytes, block: int) -> tuple[int, int] | None:
    """Where a frame begins and ends, in samples; None where no header of one stands.

    After the mark stand codes of the size and the rate, channels, bits a sample, the number of the
    frame (or of its first sample), sizes and rates that have no code, and a checksum.
    """
    if len(head) < 6 or head[1] & 0xFE != 0xF8 or head[3] & 1:
        return None
    size_code, rate_code = head[2] >> 4, head[2] & 15
    if size_code == 0 or rate_code == 15 or head[3] >> 4 > 10 or head[3] >> 1 & 7 == 3:
        return None
    number, place = _coded_number(head)
    extra = {6: 1, 7: 2}.get(size_code, 0)
    end = place + extra + {12: 1, 13: 2, 14: 2}.get(rate_code, 0)
    if number is None or end >= len(head) or _checksum(head[:end]) != head[end]:
        return None
    told = int.from_bytes(head[place : place + extra], "big") + 1
    count = told if extra else _SIZES[size_code]
    begin = number if head[1] & 1 else number * block
    return begin, begin + count


def _coded_number(head: bytes) -> tuple[int | None, int]:
    """As in UTF-8, of up to seven bytes; and where it ends."""
    ones = 8 - (head[4] ^ 0xFF).bit_length()  # how many stand in front
    if ones == 0:
        return head[4], 5
    rest = head[5 : 4 + ones]
    if ones == 1 or ones > 7 or len(rest) < ones - 1 or any(b >> 6 != 2 for b in rest):
        return None, 5
    number = head[4] & (0x7F >> ones)
    for byte in rest:
        number = number << 6 | byte & 0x3F
    return number, 4 + ones


def _checksum(data: bytes) -> int:
    """CRC-8 by the polynomial 0x07."""
    value = 0
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = (value << 1 ^ (7 if value & 0x80 else 0)) & 0xFF
    return value
