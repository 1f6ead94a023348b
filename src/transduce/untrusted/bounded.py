"""Whole files of bounded size, and nothing but files."""

from __future__ import annotations

import errno
import os
import zlib
from pathlib import Path

from transduce.untrusted.opening import open_regular

__all__ = ["MEGABYTE", "pack", "read_bytes", "read_text", "unpack"]

MEGABYTE = 1 << 20
_GZIP = 31  # of zlib: the largest window, with gzip's header and checksum
_BEST = 9


def read_bytes(path: str | Path, most: int) -> bytes:
    """The content of a file of at most ``most`` bytes. Raises OSError as :func:`open_regular`."""
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        content = file.read(min(size, most) + 1)
        while len(content) <= most and (more := file.read(MEGABYTE)):  # a pipe, or it has grown
            content += more
    if len(content) > most:
        raise _too_large(path, most, f"got {size / MEGABYTE:.1f} MB")
    return content


def read_text(path: str | Path, most: int) -> str:
    """Likewise as UTF-8. Raises OSError, UnicodeDecodeError."""
    return read_bytes(path, most).decode("utf-8")


def pack(content: bytes) -> bytes:
    """As gzip data: equal for equal content, as they hold neither a name nor a time."""
    packing = zlib.compressobj(_BEST, wbits=_GZIP)
    return packing.compress(content) + packing.flush()


def unpack(packed: bytes, most: int, path: str | Path) -> bytes:
    """What :func:`pack` packed, never more than ``most`` bytes of it.

    Raises OSError, which names the ``path`` that it was read from.
    """
    unpacking = zlib.decompressobj(_GZIP)
    try:
        content = unpacking.decompress(packed, most + 1)
    except zlib.error:
        raise OSError(errno.EINVAL, "it must be gzip data", str(path)) from None
    if len(content) > most:
        raise _too_large(path, most, "got more, packed")
    if not unpacking.eof or unpacking.unused_data:
        raise OSError(errno.EINVAL, "it must be gzip data, one whole stream", str(path))
    return content


def _too_large(path: str | Path, most: int, got: str) -> OSError:
    told = f"it must have {most / MEGABYTE:g} MB at most; {got}"
    return OSError(errno.EFBIG, told, str(path))
