"""Changes that are made and not yet at home: ``.committed``, where readers look first."""

from __future__ import annotations

import errno
import json
import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from transduce.files.regular import read_small
from transduce.files.replace import aside_name, clear_asides, is_alive, replacing
from transduce.files.sums import SUMS
from transduce.files.sync import sync_folder, sync_tree

__all__ = [
    "COMMITTED",
    "INCOMING",
    "JOURNAL",
    "Pending",
    "clear_left",
    "finish",
    "is_free",
    "is_litter",
    "pending",
    "place",
]

COMMITTED = ".committed"
INCOMING = ".incoming-"  # then the writer's number and that of its change
JOURNAL = ".changes.json"
_NO_JOURNAL = (OSError, ValueError, KeyError, TypeError, RecursionError)  # of one to be read


class Pending(NamedTuple):
    """What a change that is committed and not yet at home says of itself."""

    files: frozenset[str]
    removed: frozenset[str]
    fresh: bool  # whether the folder held nothing before


def place(folder: Path, name: str) -> Path:
    """Where a file of a folder is now: among those that are committed, or at home.

    ``name`` may be a path below the folder. Nothing stands there where the file is to go.
    """
    committed = folder / COMMITTED / name
    if os.path.lexists(committed):
        return committed
    found = pending(folder)
    if found is not None and Path(name).parts[0] in found.removed:
        return committed
    return folder / name


def finish(folder: Path, alone: bool = False) -> None:
    """Bring home what a killed writer committed, and remove what others left half-written.

    For one who holds the lock; ``alone``: no other can be at work, whatever process has the number
    that an aside is named by. Raises OSError.
    """
    for path in folder.glob(f"{INCOMING}*"):
        number = path.name.removeprefix(INCOMING).partition("-")[0]
        own = number == str(os.getpid())
        if not own and (alone or not is_alive(number)):
            shutil.rmtree(path, ignore_errors=True)
    clear_asides(folder)
    committed = folder / COMMITTED
    found = pending(folder)
    if found is None:
        return
    clear_asides(committed)
    for name in sorted(found.removed):
        _remove(folder / name)
    for source in sorted(committed.iterdir()):
        if source.name == JOURNAL:
            continue
        if source.is_dir() and not source.is_symlink():
            _bring_tree(source, folder / source.name)
        else:
            _bring_file(source, folder / source.name)
    sync_folder(committed)
    sync_folder(folder)
    _remove(committed)
    sync_folder(folder)


def clear_left(folder: Path) -> None:
    """Remove what a writer left that was killed when all was at home, for who writes nothing."""
    clear_asides(folder, COMMITTED)


def pending(folder: Path) -> Pending | None:
    """A change that is committed and not yet at home; None where there is none."""
    committed = folder / COMMITTED
    if not committed.is_dir():
        return None
    try:
        journal = json.loads(read_small(committed / JOURNAL))
        return Pending(
            frozenset(map(_plain, journal["files"])),
            frozenset(map(_plain, journal["removed"])),
            journal["fresh"] is True,
        )
    except _NO_JOURNAL:  # it goes last: there is no more to do
        return Pending(frozenset(), frozenset(), fresh=False)


def is_free(folder: Path) -> bool:
    """Whether a folder holds nothing but what killed writers of its first files left. Raises
    OSError where it is none.
    """
    if not folder.exists():
        return True
    found = pending(folder)
    ours = found.files | {SUMS} if found is not None and found.fresh else frozenset[str]()
    return all(is_litter(entry.name) or entry.name in ours for entry in folder.iterdir())


def is_litter(name: str) -> bool:
    """Whether a name in a folder is of a change that was not brought to its end."""
    return name == COMMITTED or name.startswith(INCOMING)


def _plain(name: object) -> str:
    """A name in the folder itself. Raises ValueError for a path that leads elsewhere."""
    text = str(name)
    if not text or text in (".", "..") or Path(text).name != text:
        raise ValueError(f"name must be one of a file in the folder; got {text!r}")
    return text


def _bring_file(source: Path, place: Path) -> None:
    """Rename; where the place is a link, over what it leads to, on whatever disk that is."""
    target = Path(os.path.realpath(place))
    try:
        source.replace(target)
    except OSError as error:
        if error.errno not in (errno.EXDEV, errno.EBUSY):  # the second: a file mounted there alone
            raise
        with replacing(target) as aside:
            shutil.copyfile(source, aside)
        source.unlink()
    if target.parent != place.parent:
        sync_folder(target.parent)


def _bring_tree(source: Path, place: Path) -> None:
    target = Path(os.path.realpath(place))
    clear_asides(target.parent, target.name)
    old = target.with_name(aside_name(target.name))
    with suppress(FileNotFoundError):
        target.rename(old)
    try:
        source.rename(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        _copy_tree(source, target)
        _remove(source)
    shutil.rmtree(old, ignore_errors=True)


def _copy_tree(source: Path, target: Path) -> None:
    """To another disk, where it gets its name when it is whole."""
    copy = target.with_name(aside_name(target.name))
    shutil.copytree(source, copy)
    sync_tree(copy)
    copy.rename(target)
    sync_folder(target.parent)


def _remove(path: Path) -> None:
    """A folder in one step, as readers see it."""
    if path.is_dir() and not path.is_symlink():
        old = path.with_name(aside_name(path.name))
        path.rename(old)
        shutil.rmtree(old, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
