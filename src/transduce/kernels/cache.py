"""Where compiled kernels are kept, and what is checked before one of them is loaded."""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from transduce.errors import EngineError
from transduce.files import sync_folder

__all__ = [
    "CacheError",
    "cache_folders",
    "is_ours_and_whole",
    "read_ours",
    "replacing_library",
    "secure_folder",
]

_LEFT_OVER = 3600.0  # seconds after which what a compiler writes is that of a killed run
_ASIDE = ".part"


class CacheError(EngineError):
    """A folder cannot keep kernels; another may."""


def cache_folders() -> list[Path]:
    """Where kernels may be kept, the best place first.

    ``$XDG_CACHE_HOME/transduce``, else ``~/.cache/transduce``; where that cannot be used, a folder
    of this user's own among the temporary files.
    """
    folders = []
    named = os.environ.get("XDG_CACHE_HOME", "")
    if os.path.isabs(named):  # a relative one is to be ignored, as its specification has it
        folders.append(Path(named) / "transduce")
    else:
        with suppress(RuntimeError):  # a user without a home, or without a name
            folders.append(Path.home() / ".cache" / "transduce")
    with suppress(OSError):  # no place for temporary files either
        folders.append(Path(tempfile.gettempdir()) / f"transduce-{os.geteuid()}")
    return folders


def secure_folder(folder: Path) -> None:
    """Make a folder that only this user may write (mode 0700), or see that one is such.

    Raises CacheError where it cannot be made or others could put something in: it belongs to
    another user, others may write there, or in a folder above it without a sticky bit.
    """
    try:
        for missing in [*reversed(folder.parents), folder]:
            if not missing.exists():
                missing.mkdir(mode=0o700, exist_ok=True)  # another run may be faster
        place = folder.resolve(strict=True)
        status = place.stat()
        above = [(parent, parent.stat()) for parent in place.parents]
    except OSError as error:
        raise CacheError(f"{folder}: native kernels cannot be written ({_why(error)})") from None
    if status.st_uid != os.geteuid():
        raise CacheError(f"{folder}: native kernels must be in a folder of this user's own")
    if _others_may_write(status):
        raise CacheError(
            f"{folder}: native kernels must be where only this user may write; "
            f"got mode {stat.S_IMODE(status.st_mode):o} (chmod go-w)"
        )
    for parent, its in above:
        if its.st_mode & stat.S_IWOTH and not its.st_mode & stat.S_ISVTX:
            raise CacheError(
                f"{folder}: native kernels must be where only this user may write; "
                f"others may write in {parent}"
            )


def is_ours_and_whole(library: Path) -> bool:
    """Whether a library is this user's, closed to others, and byte for byte what was compiled."""
    try:
        content, recorded = read_ours(library), read_ours(_digest_file(library))
    except OSError:
        return False
    return recorded == _digest(content)


@contextmanager
def replacing_library(library: Path) -> Iterator[Path]:
    """Give a path to compile to; with its digest it replaces ``library`` when the block ends well.

    Both are synced first. A kill leaves the old library, none, or one that does not go with its
    digest and is compiled anew. Raises CacheError where they cannot be written.
    """
    _clear_left_overs(library.parent)
    try:
        with _aside(library) as aside:
            yield aside
            _put(aside, library)
        with _aside(_digest_file(library)) as aside:
            aside.write_bytes(_digest(library.read_bytes()))
            _put(aside, _digest_file(library))
        sync_folder(library.parent)
    except OSError as error:
        raise CacheError(
            f"{library.parent}: native kernels cannot be written ({_why(error)})"
        ) from None


@contextmanager
def _aside(path: Path) -> Iterator[Path]:
    """A new file beside ``path``, gone when the block ends."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=_ASIDE, dir=path.parent)
    os.close(handle)
    try:
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)


def _put(aside: Path, path: Path) -> None:
    """Others may be writing the same file: it is renamed into place, whole."""
    aside.chmod(0o600)  # whatever the compiler and the umask made of it
    with aside.open("rb+") as file:
        os.fsync(file.fileno())
    aside.replace(path)


def _clear_left_overs(folder: Path) -> None:
    for aside in folder.glob(f".*{_ASIDE}"):
        with suppress(OSError):  # another run may be faster
            if time.time() - aside.lstat().st_mtime > _LEFT_OVER:
                aside.unlink()


def _digest_file(library: Path) -> Path:
    return library.with_name(f"{library.name}.sha256")


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest().encode()


def read_ours(path: Path) -> bytes:
    """A file's content. Raises OSError where it is none, another user's, or open to others."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        ours = stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid()
        if not ours or _others_may_write(status):
            raise PermissionError(f"{path}: not trusted")
        return file.read()


def _others_may_write(status: os.stat_result) -> bool:
    if status.st_mode & stat.S_IWOTH:
        return True
    return bool(status.st_mode & stat.S_IWGRP) and not _is_private_group(status.st_gid)


def _is_private_group(number: int) -> bool:
    """Whether a group is this user's own, named like the user and without other members."""
    import grp  # neither is there on Windows, where no kernels are
    import pwd

    try:
        user, group = pwd.getpwuid(os.geteuid()), grp.getgrgid(number)
    except KeyError:
        return False
    own = user.pw_gid == number and user.pw_name == group.gr_name
    return own and set(group.gr_mem) <= {user.pw_name}


def _why(error: OSError) -> str:
    return error.strerror or str(error)
