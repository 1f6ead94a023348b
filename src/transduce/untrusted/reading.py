"""Whole files of bounded size, and nothing but files."""

from __future__ import annotations

import errno
import os
import stat
from io import FileIO
from pathlib import Path

__all__ = ["MEGABYTE", "open_regular", "read_bytes", "read_text"]

MEGABYTE = 1 << 20


def open_regular(path: str | Path) -> tuple[FileIO, int]:
    """An open file and its size.

    Raises OSError, its ``strerror`` saying why: also for what is no regular file (a pipe would be
    waited for, a device has no end).
    """
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it must be a regular file", str(path))
    return FileIO(descriptor), status.st_size


def read_bytes(path: str | Path, most: int) -> bytes:
    """The content of a file of at most ``most`` bytes. Raises OSError as :func:`open_regular`."""
    file, size = open_regular(path)
    with file:
        content = file.read(min(size, most) + 1)
        while len(content) <= most and (more := file.read(MEGABYTE)):  # it has grown meanwhile
            content += more
    if len(content) > most:
        told = f"it must have {most // MEGABYTE} MB at most; got {size / MEGABYTE:.1f} MB"
        raise OSError(errno.EFBIG, told, str(path))
    return content


def read_text(path: str | Path, most: int) -> str:
    """Likewise as UTF-8. Raises OSError, UnicodeDecodeError."""
    return read_bytes(path, most).decode("utf-8")
