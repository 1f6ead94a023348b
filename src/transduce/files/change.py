"""Several files of a folder that change as one.

They are written into ``.incoming-…`` inside the folder and synced. One rename, to ``.committed``,
is the change; then each goes to its place. Who reads looks into ``.committed`` first, so that a
kill at any instant leaves the old files or the new ones; the next writer brings them home.
"""

from __future__ import annotations

import errno
import itertools
import json
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from transduce.files.committed import COMMITTED, INCOMING, JOURNAL, finish, is_litter
from transduce.files.lock import locked
from transduce.files.replace import keep_owner
from transduce.files.sums import SUMS, Sums, digest
from transduce.files.sync import named, placed, sync_folder, sync_tree

__all__ = ["Change", "changing"]

_numbers = itertools.count()


class Change:
    """What is to become of a folder: files to write, by their path in it, and some to remove."""

    def __init__(self, folder: Path, aside: Path) -> None:
        self.folder = folder
        self._aside = aside
        self._unsummed: set[str] = set()
        self._removed: set[str] = set()

    def path(self, name: str, *, summed: bool = True) -> Path:
        """Where to write a file now; not ``summed``: SHA256SUMS does not list it."""
        if not summed:
            self._unsummed.add(name)
        path = self._aside / name
        if "/" in name:
            path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def write_bytes(self, name: str, content: bytes, *, summed: bool = True) -> None:
        """Write a file. Raises OSError that names its place."""
        path = self.path(name, summed=summed)
        with named(self.folder / name, path):
            path.write_bytes(content)

    def write_text(self, name: str, text: str, *, summed: bool = True) -> None:
        """Write a text file as :func:`~transduce.files.write_text` does. Raises OSError."""
        self.write_bytes(name, text.encode(errors="backslashreplace"), summed=summed)

    def remove(self, name: str) -> None:
        """Let a file or a folder go with the change, unless the change writes one there."""
        self._removed.add(name)

    def commit(self) -> None:
        """Make it so. Raises OSError; what was there is then still whole."""
        written = {entry.name for entry in self._aside.iterdir()}
        removed = {name for name in self._removed - written if os.path.lexists(self.folder / name)}
        if not written and not removed:
            return
        journal = {"files": sorted(written), "removed": sorted(removed), "fresh": self._fresh()}
        self.write_text(JOURNAL, json.dumps(journal), summed=False)
        if (sums := self._sums(written, removed)) is not None:
            self.write_text(SUMS, sums.to_text(), summed=False)
        for name in sorted(written):
            _require_place(self.folder / name, self._aside / name)
        self._settle_modes()
        sync_tree(self._aside)
        self._aside.rename(self.folder / COMMITTED)
        sync_folder(self.folder)
        finish(self.folder)

    def _fresh(self) -> bool:
        return not any(not is_litter(entry.name) for entry in self.folder.iterdir())

    def _sums(self, written: set[str], removed: set[str]) -> Sums | None:
        """The checksums of the folder from now on; None: they are what they were."""
        before = Sums.read(self.folder / SUMS)
        after = Sums(
            (name, value)
            for name, value in (before or Sums()).items()
            if name.partition("/")[0] not in written | removed
        )
        for where, _, names in os.walk(self._aside):
            for file in (Path(where) / name for name in names):
                name = file.relative_to(self._aside).as_posix()
                if name != JOURNAL and name not in self._unsummed:
                    after[name] = digest(file)
        return None if after == (before or Sums()) else after

    def _settle_modes(self) -> None:
        """Modes as files have them here, whoever wrote them; of one that is replaced its own."""
        usual = stat.S_IMODE((self._aside / JOURNAL).stat().st_mode)
        for where, _, names in os.walk(self._aside):
            for file in (Path(where) / name for name in names):
                try:
                    before = os.stat(self.folder / file.relative_to(self._aside))
                except FileNotFoundError:
                    file.chmod(usual)
                else:
                    keep_owner(file, before)
                    file.chmod(stat.S_IMODE(before.st_mode))


@contextmanager
def changing(folder: str | Path) -> Iterator[Change]:
    """Change files of a folder as one, when the block ends well; the folder is made if need be.

    What killed writers left is brought home or removed first. Raises BusyError where another
    process is writing there, OSError that names the file.
    """
    folder = Path(folder)
    made = not folder.exists()
    with named(folder):
        folder.mkdir(parents=True, exist_ok=True)
    try:
        with locked(folder) as alone:
            finish(folder, alone)
            with _incoming(folder) as aside, placed(folder, aside):
                change = Change(folder, aside)
                yield change
                change.commit()
    except BaseException:
        if made:
            with suppress(OSError):  # nothing was there, and nothing is now
                folder.rmdir()
        raise


@contextmanager
def _incoming(folder: Path) -> Iterator[Path]:
    aside = folder / f"{INCOMING}{os.getpid()}-{next(_numbers)}"
    with named(folder, aside):
        aside.mkdir()
    try:
        yield aside
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _require_place(place: Path, source: Path) -> None:
    """Raise OSError now where bringing a file home would fail later."""
    with named(place):
        try:
            found = os.stat(place)
        except FileNotFoundError:
            if place.is_symlink():  # to nothing yet
                os.stat(Path(os.path.realpath(place)).parent)
            return
        if source.is_dir() != stat.S_ISDIR(found.st_mode):
            number = errno.ENOTDIR if source.is_dir() else errno.EISDIR
            raise OSError(number, os.strerror(number), str(place))
        if not source.is_dir() and not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EEXIST, "not a regular file", str(place))
        if not os.access(place, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(place))
