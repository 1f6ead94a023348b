"""Opening files that others made: regular ones, and of a size that is to be expected."""

from __future__ import annotations

import errno
import io
import os
import stat
from pathlib import Path

__all__ = ["open_regular", "read_small"]

_AS_IT_IS = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_SMALL = 16 << 20  # bytes of a list of files


def open_regular(path: Path) -> io.FileIO:
    """Open a file to read; a FIFO or a device, which may never end, is none. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | _AS_IT_IS)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    return io.FileIO(descriptor)


def read_small(path: Path) -> bytes:
    """The content of a small file. Raises OSError, also where it is large."""
    with open_regular(path) as file:
        content = file.read(_SMALL + 1)
    if content is None or len(content) > _SMALL:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), str(path))
    return content
