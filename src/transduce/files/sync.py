"""What is written reaches the disk, and an error of the system names the file that it is about."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["named", "placed", "sync_file", "sync_folder", "sync_tree"]

_CANNOT = {errno.EINVAL, errno.ENOTSUP, errno.ENOSYS}  # of file systems that sync nothing


def sync_file(path: Path) -> None:
    """Wait until a file's content is on the disk. Raises OSError."""
    descriptor = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    try:
        _sync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Make renames in a folder survive a power cut, where the system can."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(descriptor)
    except OSError:
        pass
    finally:
        os.close(descriptor)


def sync_tree(folder: Path) -> None:
    """Wait until all files below a folder are on the disk, and their names. Raises OSError."""
    for where, _, names in os.walk(folder, topdown=False):
        for name in names:
            sync_file(Path(where) / name)
        sync_folder(Path(where))


@contextmanager
def named(path: Path, *asides: Path) -> Iterator[None]:
    """Let an OSError in the block name ``path`` where it names no file, or one of ``asides``.

    What is written aside and then renamed fails under a name that nobody knows; a write that finds
    the disk full names none.
    """
    try:
        yield
    except OSError as error:
        said = [os.fspath(name) for name in (error.filename, error.filename2) if name is not None]
        own = [os.fspath(aside) for aside in asides]
        if not said or any(str(name).startswith(aside) for name in said for aside in own):
            error.filename, error.filename2 = str(path), None
        raise


@contextmanager
def placed(folder: Path, aside: Path) -> Iterator[None]:
    """Let an OSError in the block name the place below ``folder`` of a file below ``aside``."""
    try:
        yield
    except OSError as error:
        said = [os.fsdecode(n) for n in (error.filename2, error.filename) if n is not None]
        own = [Path(name) for name in said if Path(name).is_relative_to(aside)]
        if not said or own:
            place = folder / own[0].relative_to(aside) if own else folder
            error.filename, error.filename2 = str(place), None
        raise


def _sync(descriptor: int) -> None:
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _CANNOT:
            raise
