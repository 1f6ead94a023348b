"""One file, whole at every instant: written aside, synced, renamed into place.

What stands there and is no regular file (a device, a FIFO) is written to instead; of a link the
target is replaced; the mode of what stood there stays.
"""

from __future__ import annotations

import errno
import hashlib
import itertools
import os
import re
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from transduce.files.lock import try_lock
from transduce.files.sync import named, sync_file, sync_folder

__all__ = [
    "aside_name",
    "clear_asides",
    "is_alive",
    "keep_owner",
    "replacing",
    "write_bytes",
    "write_text",
]

_ENDING = ".part"
_ASIDE = re.compile(r"(\..+\.)(\d{1,10})(?:-\d+)?\.part", re.DOTALL)
_LONGEST = 255  # bytes of a name, on the file systems that there are
_STDOUT = 1
_numbers = itertools.count()  # threads of one process may write one file


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Give a path to write to; it replaces ``path`` when the block ends well.

    A crash inside the block leaves what was there before, and a file beside it that the next
    writer of ``path`` removes. Raises OSError naming ``path``.
    """
    path = Path(path)
    with named(path):
        before = _standing(path)
        way = _written_through if _is_to_be_kept(path, before) else _renamed
        with way(path, before) as aside, named(path, aside):
            yield aside


def write_bytes(path: str | Path, content: bytes) -> None:
    """Replace a file in one step. Raises OSError."""
    with replacing(path) as aside:
        aside.write_bytes(content)


def write_text(path: str | Path, text: str) -> None:
    """Replace a text file (UTF-8, line ends as they are) in one step. Raises OSError.

    Of names of files that are no UTF-8 the odd bytes stand escaped, as JSON has them.
    """
    write_bytes(path, text.encode(errors="backslashreplace"))


# ---------------------------------------------------------------- beside the place


def aside_name(name: str) -> str:
    """A hidden name of this process and call alone for what is to become ``name``."""
    return f"{_beginning(name)}{os.getpid()}-{next(_numbers)}{_ENDING}"


def clear_asides(folder: Path, name: str | None = None) -> None:
    """Remove what killed writers (of ``name``; None: of any) left in a folder.

    That of living ones stays.
    """
    beginning = None if name is None else _beginning(name)
    with suppress(OSError):
        for entry in list(os.scandir(folder)):
            match = _ASIDE.fullmatch(entry.name)
            if match is None or beginning not in (None, match[1]):
                continue
            path = Path(entry.path)
            if not _is_written(path, match[2]):
                with suppress(OSError):
                    shutil.rmtree(path) if path.is_dir() else path.unlink()


def is_alive(number: str) -> bool:
    """Whether there is a process of this number."""
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError, ValueError):
        return True
    return True


def _beginning(name: str) -> str:
    """Of hidden names for ``name``, which may be as long as names can be."""
    room = _LONGEST - 2 - len("4294967295-4294967295") - len(_ENDING)
    if len(os.fsencode(name)) > room:
        name = hashlib.sha256(os.fsencode(name)).hexdigest()[:32]
    return f".{name}."


def _is_written(path: Path, writer: str) -> bool:
    """Whether the process that writes an aside lives: it holds a lock on it, or has its number."""
    with suppress(OSError), path.open("rb") as file:  # a folder cannot be opened so
        locked = try_lock(file.fileno())
        if locked is not False:
            return locked is None
    return is_alive(writer)


# ---------------------------------------------------------------- what stands there


def _standing(path: Path) -> os.stat_result | None:
    """What ``path`` leads to, through links; None where there is nothing yet."""
    try:
        return os.stat(path)
    except FileNotFoundError:
        return None


def _is_to_be_kept(path: Path, before: os.stat_result | None) -> bool:
    """Whether what stands there can only be written to, not be replaced by another file."""
    if before is None:
        return False
    if stat.S_ISDIR(before.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(before.st_mode) or _is_standard_output(before):
        return True
    if not os.access(path, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
    folder = Path(os.path.realpath(path)).parent
    mounted = os.stat(folder).st_dev != before.st_dev  # a single file, as containers have it
    return mounted or not os.access(folder, os.W_OK | os.X_OK)


def _is_standard_output(found: os.stat_result) -> bool:
    """As /dev/stdout, whatever it leads to."""
    try:
        return os.path.samestat(found, os.fstat(_STDOUT))
    except OSError:
        return False


@contextmanager
def _renamed(path: Path, before: os.stat_result | None) -> Iterator[Path]:
    place = Path(os.path.realpath(path))
    clear_asides(place.parent, place.name)
    aside = place.with_name(aside_name(place.name))
    with named(path, aside):
        descriptor = _create(aside, before)
        mode = stat.S_IMODE((before or os.fstat(descriptor)).st_mode)
        try:
            yield aside
            sync_file(aside)
            if before is not None:
                keep_owner(aside, before)
            aside.chmod(mode)  # what the block put there may be another file than was given
            aside.replace(place)
            sync_folder(place.parent)
        finally:
            os.close(descriptor)
            aside.unlink(missing_ok=True)


def _create(aside: Path, before: os.stat_result | None) -> int:
    """An empty file, locked for as long as its descriptor is open; not for others to read until it
    has the mode of what it replaces.
    """
    mode = 0o666 if before is None else 0o600
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try_lock(descriptor)
    return descriptor


def keep_owner(path: Path, before: os.stat_result) -> None:
    """Another's file stays its owner's, where we may say so."""
    own = path.stat()
    if (own.st_uid, own.st_gid) != (before.st_uid, before.st_gid) and hasattr(os, "chown"):
        with suppress(OSError):
            os.chown(path, before.st_uid, before.st_gid)


@contextmanager
def _written_through(path: Path, before: os.stat_result | None) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        aside = Path(folder) / "content"
        yield aside
        with aside.open("rb") as source, _opened(path, before) as sink:
            shutil.copyfileobj(source, sink)


def _opened(path: Path, before: os.stat_result | None) -> BinaryIO:
    if before is not None and _is_standard_output(before):
        if sys.stdout is not None:
            sys.stdout.flush()  # what was printed comes first
        return os.fdopen(os.dup(_STDOUT), "wb")
    return path.open("wb")
