"""One writer a folder: a lock on the folder itself, which leaves nothing behind and ends with the
process that holds it.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from transduce.errors import BusyError
from transduce.files.sync import named

if sys.platform != "win32":
    import fcntl

__all__ = ["locked", "locked_in_turn", "try_lock"]

_PAUSE = 0.2  # seconds between two looks at a folder that another process writes


@dataclass(slots=True)
class _Held:
    """A folder that a thread of this process writes into."""

    descriptor: int | None
    thread: int
    alone: bool  # whether the system sees to it that no other process does
    depth: int = 1


_held: dict[tuple[int, int], _Held] = {}  # by the folder's device and inode
_guard = threading.Lock()


@contextmanager
def locked(folder: Path) -> Iterator[bool]:
    """Be the only one that writes into a folder that exists, until the block ends.

    Gives whether that is certain: where the file system has no locks the block runs without, and
    only threads of this process see each other. A thread that holds the lock may take it again.
    Raises BusyError at once where another writer is at work, OSError where the folder cannot be
    opened.
    """
    key = _take(Path(folder))
    try:
        yield _held[key].alone
    finally:
        _give_back(key)


@contextmanager
def locked_in_turn(folder: Path) -> Iterator[bool]:
    """Likewise, once no other writer is at work. Raises OSError."""
    with ExitStack() as held:
        while True:
            try:
                alone = held.enter_context(locked(folder))
                break
            except BusyError:
                time.sleep(_PAUSE)
        yield alone


def try_lock(descriptor: int) -> bool | None:
    """Whether an open file is locked now; None where another holds it, false where there are no
    locks.
    """
    if sys.platform == "win32":
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return None
    except OSError as error:  # a file system without locks, or with none on folders
        logging.getLogger("transduce").info("written without a lock: %s", error.strerror)
        return False
    return True


def _take(folder: Path) -> tuple[int, int]:
    with named(folder), _guard:
        while True:
            found = os.stat(folder)
            key = found.st_dev, found.st_ino
            if (held := _held.get(key)) is not None:
                if held.thread != threading.get_ident():
                    raise _busy(folder)
                held.depth += 1
                return key
            if sys.platform == "win32":  # where folders cannot be opened
                _held[key] = _Held(None, threading.get_ident(), alone=False)
                return key
            descriptor = os.open(folder, os.O_RDONLY)
            alone = try_lock(descriptor)
            if alone is None:
                os.close(descriptor)
                raise _busy(folder)
            opened = os.fstat(descriptor)
            if (opened.st_dev, opened.st_ino) == key and os.path.samestat(opened, os.stat(folder)):
                _held[key] = _Held(descriptor, threading.get_ident(), alone)
                return key
            os.close(descriptor)  # another folder has taken its place meanwhile


def _give_back(key: tuple[int, int]) -> None:
    with _guard:
        held = _held.get(key)
        if held is None:  # a fork's, which holds none
            return
        held.depth -= 1
        if held.depth:
            return
        del _held[key]
        if held.descriptor is not None and sys.platform != "win32":
            with suppress(OSError):  # said, not left to the last close: a fork may have it open
                fcntl.flock(held.descriptor, fcntl.LOCK_UN)
            os.close(held.descriptor)


def _busy(folder: Path) -> BusyError:
    return BusyError(
        f"{folder} must be written by one at a time; another process is at work in it: "
        "wait for its end, or choose another directory"
    )


def _forget() -> None:
    """A forked process holds no lock: its parent does, and must not lose it through the fork."""
    global _guard
    _guard = threading.Lock()
    for held in _held.values():
        if held.descriptor is not None:
            with suppress(OSError):
                os.close(held.descriptor)
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
