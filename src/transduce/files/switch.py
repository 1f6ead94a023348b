"""A whole folder in the place of another, for readers that look at its plain files alone."""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

from transduce.files.lock import locked
from transduce.files.replace import aside_name, clear_asides
from transduce.files.sync import named, placed, sync_folder, sync_tree

__all__ = ["exchange", "switching"]

_HERE = -100  # AT_FDCWD: paths as the process sees them
_EXCHANGE, _SWAP = 2, 2  # RENAME_EXCHANGE of Linux, RENAME_SWAP of macOS
_OLD = "old.part"


@contextmanager
def switching(folder: Path) -> Iterator[Path]:
    """Give a folder to fill; when the block ends well it stands in the place of ``folder``.

    At every instant the old one stands there or the new one, where the system can exchange two
    names (Linux, macOS); elsewhere for an instant neither does, and the next writer puts the old
    one back. Raises BusyError where another process writes it, OSError.
    """
    folder = Path(os.path.realpath(folder))
    _put_back(folder)
    made = not folder.exists()
    with named(folder):
        folder.mkdir(parents=True, exist_ok=True)
    try:
        with locked(folder):
            clear_asides(folder.parent, folder.name)
            aside = folder.with_name(aside_name(folder.name))
            with placed(folder, aside):
                aside.mkdir()
                try:
                    yield aside
                    aside.chmod(stat.S_IMODE(folder.stat().st_mode))
                    sync_tree(aside)
                    _switch(aside, folder)
                finally:
                    shutil.rmtree(aside, ignore_errors=True)
    except BaseException:
        if made:
            with suppress(OSError):  # nothing was there, and nothing is now
                folder.rmdir()
        raise


def exchange(one: Path, other: Path) -> bool:
    """Let two paths change places in one step; false where the system cannot. Raises OSError."""
    call = _exchanging()
    if call is None:
        return False
    if call(os.fsencode(one), os.fsencode(other)) == 0:
        return True
    number = ctypes.get_errno()
    if number in (
        errno.ENOSYS,
        errno.EINVAL,
        errno.ENOTSUP,
        errno.EXDEV,
    ):  # not on this file system
        return False
    raise OSError(number, os.strerror(number), str(one), None, str(other))


def _switch(aside: Path, folder: Path) -> None:
    """Put ``aside`` in the place of ``folder``; what was there stands in that of ``aside``."""
    try:
        aside.rename(folder)  # over an empty one
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        if not exchange(aside, folder):
            old = folder.with_name(f".{folder.name}.{_OLD}")
            folder.rename(old)
            aside.rename(folder)
            shutil.rmtree(old, ignore_errors=True)
    sync_folder(folder.parent)


def _put_back(folder: Path) -> None:
    """What a kill between two renames left without its name."""
    old = folder.with_name(f".{folder.name}.{_OLD}")
    if not old.is_dir():
        return
    if folder.exists():
        shutil.rmtree(old, ignore_errors=True)
    else:
        old.rename(folder)


@cache
def _exchanging() -> Any:
    """The system's function of two paths that exchanges them; None where there is none."""
    if sys.platform not in ("linux", "darwin"):
        return None
    try:
        library = ctypes.CDLL(None, use_errno=True)
        if sys.platform == "darwin":
            swap = library.renamex_np
            swap.argtypes = (ctypes.c_char_p, ctypes.c_char_p, ctypes.c_uint)
            return lambda one, other: swap(one, other, _SWAP)
        rename = library.renameat2
    except (OSError, AttributeError):  # an old C library
        return None
    rename.argtypes = (
        ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint,
    )  # fmt: skip
    return lambda one, other: rename(_HERE, one, _HERE, other, _EXCHANGE)
