"""Opening what is to be read: files that hold still, not devices and pipes that never end."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

__all__ = ["open_regular", "require_regular"]

_HANDED_OVER = ("/dev/stdin", "/dev/fd/", "/proc/self/fd/")  # what a shell gives: <(zcat a.gz)
_KINDS = {
    stat.S_IFIFO: "a pipe: give it as standard input",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def open_regular(path: str | Path) -> BinaryIO:
    """Open a regular file, or what the shell hands over as ``/dev/fd/N``, to be read once.

    Never waits: a named pipe that nobody writes to is refused like a device, a socket and a
    folder. Raises OSError alone, whatever the path, ``strerror`` saying what it is.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | _BINARY)
    except ValueError:  # NUL, half of a surrogate pair
        raise OSError(errno.EINVAL, "a name that no file can have", str(path)) from None
    try:
        found = os.fstat(descriptor)
        _refuse(found, path)
        if not stat.S_ISREG(found.st_mode):
            os.set_blocking(descriptor, True)
        return open(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def require_regular(path: str | Path) -> None:
    """Raise OSError as :func:`open_regular` does; for libraries that open files themselves."""
    open_regular(path).close()


_BINARY = getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)


def _refuse(found: os.stat_result, path: str | Path) -> None:
    kind = stat.S_IFMT(found.st_mode)
    if kind == stat.S_IFREG:
        return
    if kind == stat.S_IFDIR:
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if kind in (stat.S_IFIFO, stat.S_IFCHR) and os.fspath(path).startswith(_HANDED_OVER):
        return
    raise OSError(errno.EINVAL, _KINDS.get(kind, "no regular file"), str(path))
