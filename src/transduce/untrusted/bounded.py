"""Whole files of bounded size, and nothing but files."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from transduce.untrusted.opening import open_regular

__all__ = ["MEGABYTE", "read_bytes", "read_text"]

MEGABYTE = 1 << 20


def read_bytes(path: str | Path, most: int) -> bytes:
    """The content of a file of at most ``most`` bytes. Raises OSError as :func:`open_regular`."""
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        content = file.read(min(size, most) + 1)
        while len(content) <= most and (more := file.read(MEGABYTE)):  # a pipe, or it has grown
            content += more
    if len(content) > most:
        told = f"it must have {most / MEGABYTE:g} MB at most; got {size / MEGABYTE:.1f} MB"
        raise OSError(errno.EFBIG, told, str(path))
    return content


def read_text(path: str | Path, most: int) -> str:
    """Likewise as UTF-8. Raises OSError, UnicodeDecodeError."""
    return read_bytes(path, most).decode("utf-8")
