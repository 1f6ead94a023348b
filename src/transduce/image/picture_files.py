"""Picture files before they are unpacked: what they are, how large, and which way up.

No library is asked before the sizes are known, and none sees what a picture is described by: text,
profiles and previews are left out, and of EXIF one number is read here.
"""

from __future__ import annotations

import io
import os
import re
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from transduce.config.image import ImageConfig
from transduce.errors import DataError
from transduce.untrusted.opening import open_regular
from transduce.untrusted.pieces import Piece, pieced

if TYPE_CHECKING:
    from PIL import Image
    from PIL.ImageFile import ImageFile

__all__ = ["named", "opened", "orientation", "refuse_endless", "refuse_large"]

_MOST_BYTES = 1 << 27  # of a file
_MOST_WEBP = 1 << 24  # pixels: its library holds each several times
_MOST_SCANS = 64  # of a JPEG, each over all its pixels; ten are usual
_MOST_CHUNKS = 100_000  # of a PNG
_LARGEST_EXIF = 1 << 16
_PNG = b"\x89PNG\r\n\x1a\n"
_SHOWN = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")  # chunks that make a PNG's pixels
_ORIENTATION = 0x0112
# Markers of a JPEG that tell how long what follows is, up to the pixels; of these the ones that
# describe: EXIF, XMP, profiles, previews, notes. JFIF and Adobe's say how colours are stored.
_HEADED = frozenset({*range(0xC0, 0xD0), 0xDB, 0xDD, *range(0xE0, 0xF0), 0xFE})
_DESCRIBING = frozenset({*range(0xE1, 0xEE), 0xEF, 0xFE})
_NAMED = {"exif": b"Exif\0\0", "xmp": b"http://ns.adobe.com/xap/1.0/\0"}
_XMP = re.compile(rb'tiff:Orientation(?:="|>)([1-8])')
_CONTENT = "content of a picture"  # in place of a file's name
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd8\xff]")  # of a JPEG; not what stands within its data


@contextmanager
def opened(content: str | Path | bytes, config: ImageConfig) -> Iterator[ImageFile]:
    """The picture of a file, or of a file's content, only its header read yet; errors of any use
    become DataError.
    """
    path = named(content)
    try:
        with _stream(content) as file:
            yield _open(file, path, config)
    except DataError:
        raise
    except OSError as error:
        if error.errno is not None:
            message = f"picture must be a readable file; got {error.strerror}"
            raise DataError(message, file=path) from None
        raise _damaged(path, error) from None
    except MemoryError:
        raise DataError("picture must fit into memory; got a larger one", file=path) from None
    except Exception as error:  # whatever a decoder stumbles over, it is the file's fault
        raise _damaged(path, error) from None


def named(content: str | Path | bytes) -> str | Path:
    """What errors call it: its path, where it has one."""
    return _CONTENT if isinstance(content, bytes) else content


def _stream(content: str | Path | bytes) -> BinaryIO:
    return io.BytesIO(content) if isinstance(content, bytes) else open_regular(content)


def _size(file: BinaryIO) -> int:
    if isinstance(file, io.BytesIO):
        return len(file.getbuffer())
    return os.fstat(file.fileno()).st_size


def refuse_large(
    size: tuple[int, int], config: ImageConfig, name: str, most: int | None = None
) -> None:
    """Raise DataError where a picture has no pixels or more than are unpacked."""
    width, height = size
    limit = config.max_pixels if most is None else min(most, config.max_pixels)
    if width < 1 or height < 1:
        raise DataError(f"picture must have pixels; got {width:,} x {height:,}", file=name)
    if width * height > limit:
        of_format = "" if limit == config.max_pixels else " in WebP"
        raise DataError(
            f"picture must have at most {limit:,} pixels{of_format} (max_pixels); "
            f"got {width:,} x {height:,}",
            file=name,
        )


def refuse_endless(image: ImageFile, content: str | Path | bytes) -> None:
    """Raise DataError for a JPEG of so many scans that it would take minutes."""
    if image.format != "JPEG":
        return
    with _stream(content) as file:
        data = file.read(_MOST_BYTES)
    place, scans = 2, 0
    while (found := _MARKER.search(data, place)) is not None:
        place, marker = found.end(), data[found.start() + 1]
        if marker == 0xD9:  # end of image
            break
        scans += marker == 0xDA
        if marker != 0x01:  # all others tell how long they are
            place += int.from_bytes(data[place : place + 2], "big")
    if scans > _MOST_SCANS:
        message = f"picture must have at most {_MOST_SCANS} scans of its pixels; got {scans:,}"
        raise DataError(message, file=named(content))


def orientation(image: Image.Image) -> int:
    """What EXIF, or else XMP, says of which way up the picture is: 1 to 8, 1 where nothing does."""
    found = _exif_orientation(_bytes_of(image, "exif").removeprefix(b"Exif\0\0"))
    if found is None and image.format != "PNG":
        said = _XMP.search(_bytes_of(image, "xmp"))
        found = int(said[1]) if said else None
    return found if found is not None and 1 <= found <= 8 else 1


def _bytes_of(image: Image.Image, key: str) -> bytes:
    value = image.info.get(key)
    return value if isinstance(value, bytes) else b""


def _exif_orientation(exif: bytes) -> int | None:
    """Of the first directory of a TIFF, which EXIF is. None for what is none."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(exif[:4])
    if order is None or len(exif) > _LARGEST_EXIF:
        return None
    try:
        (start,) = struct.unpack_from(f"{order}I", exif, 4)
        (count,) = struct.unpack_from(f"{order}H", exif, start)
        for place in range(start + 2, start + 2 + 12 * count, 12):
            tag, kind = struct.unpack_from(f"{order}HH", exif, place)
            if tag == _ORIENTATION and kind == 3:
                return int(struct.unpack_from(f"{order}H", exif, place + 8)[0])
    except struct.error:  # it leads out of the bytes
        pass
    return None


# ---------------------------------------------------------------- formats


def _open(file: BinaryIO, path: str | Path, config: ImageConfig) -> ImageFile:
    """By the formats' own classes: ``PIL.Image.open`` warns of large pictures on its own terms."""
    try:
        from PIL import JpegImagePlugin, PngImagePlugin, WebPImagePlugin  # lazy: an extra
    except ModuleNotFoundError:
        raise DataError(
            "pictures must be read with Pillow, which is not installed: "
            "pip install 'transduce[image]'"
        ) from None
    size = _size(file)
    if size > _MOST_BYTES:
        message = f"picture must be a file of at most {_MOST_BYTES >> 20} MiB; got {size:,} bytes"
        raise DataError(message, file=path)
    head = file.read(30)
    file.seek(0)
    if not head:
        raise DataError("picture must be a PNG, JPEG or WebP file; got an empty file", file=path)
    image: ImageFile
    if head.startswith(_PNG):
        image = PngImagePlugin.PngImageFile(_only_pixels(file, path))
    elif head.startswith(b"\xff\xd8\xff"):
        pieces, described = _without_descriptions(file)
        image = JpegImagePlugin.JpegImageFile(pieced(file, pieces))
        image.info.update(described)
    elif head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        refuse_large(_webp_size(head), config, str(path), _MOST_WEBP)
        image = WebPImagePlugin.WebPImageFile(file)
        refuse_large(image.size, config, str(path), _MOST_WEBP)
    else:
        message = "picture must be a PNG, JPEG or WebP file; got another format"
        raise DataError(message, file=path)
    refuse_large(image.size, config, str(path))
    return image


def _webp_size(head: bytes) -> tuple[int, int]:
    """Width and height by the first chunk; ValueError where there is none that tells."""
    kind, data = head[12:16], head[20:30]
    if len(data) < 10:
        raise ValueError("header is cut off")
    if kind == b"VP8X":
        return int.from_bytes(data[4:7], "little") + 1, int.from_bytes(data[7:10], "little") + 1
    if kind == b"VP8L":
        bits = int.from_bytes(data[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 ":
        width, height = struct.unpack("<HH", data[6:10])
        return width & 0x3FFF, height & 0x3FFF
    raise ValueError("header is of no known kind")


def _without_descriptions(file: BinaryIO) -> tuple[list[Piece], dict[str, bytes]]:
    """What of a JPEG makes its pixels, and what EXIF and XMP say of it."""
    size = _size(file)
    kept: list[Piece] = [(0, 2)]
    described: dict[str, bytes] = {}
    place = 2
    while True:
        file.seek(place)
        head = file.read(4)
        length = 2 + int.from_bytes(head[2:])
        if len(head) < 4 or head[0] != 0xFF or head[1] not in _HEADED or place + length > size:
            kept.append((place, size))  # the pixels, or what the library says is wrong
            return kept, described
        if head[1] in _DESCRIBING:
            data = file.read(length - 4)
            for key, name in _NAMED.items():
                if data.startswith(name):
                    described.setdefault(key, data.removeprefix(name))
        else:
            kept.append((place, place + length))
        place += length


def _only_pixels(file: BinaryIO, path: str | Path) -> BinaryIO:
    """A PNG without the chunks that pixels do not need: one of text may unpack to anything."""
    kept: list[Piece] = [(0, len(_PNG))]
    size, place = _size(file), len(_PNG)
    for _ in range(_MOST_CHUNKS):
        file.seek(place)
        header = file.read(8)
        if len(header) < 8:
            break
        length, kind = int.from_bytes(header[:4], "big"), header[4:]
        end = min(size, place + 12 + length)
        if kind in _SHOWN or (kind == b"eXIf" and length <= _LARGEST_EXIF):
            kept.append((place, end))
        if kind == b"IEND" or end == size:
            break
        place = end
    else:
        raise DataError(f"picture must have at most {_MOST_CHUNKS:,} chunks; got more", file=path)
    return pieced(file, kept)


def _damaged(path: str | Path, error: Exception) -> DataError:
    detail = str(error) or type(error).__name__
    return DataError(f"picture must be whole; got a damaged file ({detail})", file=path)
