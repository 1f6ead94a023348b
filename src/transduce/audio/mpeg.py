"""The frames of an MP3: how many there are, and how many its first one says there are.

An MP3 is frames one after another, each of which tells its own length. Programs write a first one
without sound (``Xing``, ``Info``) that says how many follow; where it is missing the library takes
all for as long as the first, which loses half of many a recording of varying bit rate.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import BinaryIO

__all__ = ["Counted", "counted", "first_frame", "stated", "stating"]

_RATES = (44_100, 48_000, 32_000)  # hertz, MPEG 1; halves and quarters in 2 and 2.5
_KILOBITS = {  # a second, by MPEG 1 or not, and layer
    (True, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_ALIKE = 0xFFFE0C00  # bits of a header that all frames share: version, layer, rate
_NEAR = 4096  # bytes in which the next frame is looked for
_MOST_GAPS, _MOST_FRAMES = 1000, 10_000_000
_NAMES = (b"Xing", b"Info")
_HAS_FRAMES, _HAS_BYTES = 1, 2


@dataclass(frozen=True)
class Counted:
    """Frames of sound from ``start`` on, ``length`` bytes in all."""

    start: int
    frames: int
    length: int


def first_frame(file: BinaryIO, start: int) -> int | None:
    """Where the first frame stands, from ``start`` on; None where there is none near."""
    file.seek(start)
    data = file.read(_NEAR)
    place = data.find(b"\xff")
    while 0 <= place <= len(data) - 4:
        header = int.from_bytes(data[place : place + 4])
        length = _length(header)
        if length is not None:
            file.seek(start + place + length)
            after = int.from_bytes(file.read(4))
            if after & _ALIKE == header & _ALIKE and _length(after) is not None:
                return start + place
        place = data.find(b"\xff", place + 1)
    return None


def stated(file: BinaryIO, start: int) -> tuple[int, int | None] | None:
    """Frames, and bytes where that is said, by the frame at ``start``; None where it is sound."""
    file.seek(start)
    header = int.from_bytes(file.read(4))
    length = _length(header) or 0
    file.seek(start)
    frame = file.read(length)
    place = _tag_place(header)
    if frame[place : place + 4] not in _NAMES:
        return None
    flags = int.from_bytes(frame[place + 4 : place + 8])
    if not flags & _HAS_FRAMES or place + 16 > len(frame):
        return None
    frames = int.from_bytes(frame[place + 8 : place + 12])
    size = int.from_bytes(frame[place + 12 : place + 16])
    return frames, size if flags & _HAS_BYTES else None


def counted(file: BinaryIO, start: int) -> Counted:
    """Walk from frame to frame, over what is none as the library does. ``start`` has one.

    After a thousand gaps, or days of sound, the walk ends.
    """
    file.seek(start)
    header = int.from_bytes(file.read(4))
    alike = header & _ALIKE
    if (tag := _tag_place(header)) and _named(file, start, tag):
        start += _length(header) or 0
    place = end = start
    frames = gaps = 0
    while frames < _MOST_FRAMES:
        file.seek(place)
        header = int.from_bytes(file.read(4))
        length = _length(header) if header & _ALIKE == alike else None
        if length is None:
            gaps += 1
            found = first_frame(file, place + 1) if gaps <= _MOST_GAPS else None
            if found is None:
                break
            place = found
            continue
        frames += 1
        place += length
        end = place
    return Counted(start, frames, end - start)


def stating(file: BinaryIO, sound: Counted) -> bytes:
    """A frame without sound to stand before the others, which says how many they are."""
    file.seek(sound.start)
    header = int.from_bytes(file.read(4))
    # The largest bit rate, so that all fits in; no check sum.
    header = header & ~(0xF << 12) | 14 << 12 | 1 << 16
    place = _tag_place(header)
    frame = bytearray(_length(header) or 0)
    frame[:4] = header.to_bytes(4)
    frame[place : place + 4] = _NAMES[0]
    frame[place + 4 : place + 8] = (_HAS_FRAMES | _HAS_BYTES).to_bytes(4)
    frame[place + 8 : place + 12] = sound.frames.to_bytes(4)
    frame[place + 12 : place + 16] = (sound.length + len(frame)).to_bytes(4)
    return bytes(frame)


def _named(file: BinaryIO, start: int, place: int) -> bool:
    file.seek(start + place)
    return file.read(4) in _NAMES


def _tag_place(header: int) -> int:
    """Where in a first frame its name stands: behind what says how sound is stored."""
    first, mono = header >> 19 & 3 == 3, header >> 6 & 3 == 3
    return 4 + ((17 if mono else 32) if first else (9 if mono else 17))


@lru_cache(maxsize=1 << 10)
def _length(header: int) -> int | None:
    """Bytes of a frame by its first four; None where these begin none."""
    version, layer = header >> 19 & 3, 4 - (header >> 17 & 3)  # of version 1 is 3, 2 is 2, 2.5 is 0
    bits, rate = header >> 12 & 15, header >> 10 & 3
    if header >> 21 != 0x7FF or version == 1 or layer == 4 or bits in (0, 15) or rate == 3:
        return None
    first = version == 3
    kilobits = _KILOBITS[first, layer][bits - 1]
    hertz = _RATES[rate] >> (0 if first else 1 if version == 2 else 2)
    padding = header >> 9 & 1
    if layer == 1:
        return (12_000 * kilobits // hertz + padding) * 4
    per_frame = 72_000 if layer == 3 and not first else 144_000
    return per_frame * kilobits // hertz + padding
