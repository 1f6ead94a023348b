"""The n-th change of a file below a folder kills this process, or fails.

A shim in C, preloaded, sees every call of the C library. Where there is no compiler a hook in
Python sees what Python does: files that are opened to be written, renames, removals, syncs.
"""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

__all__ = ["KINDS", "WAYS", "Way", "arm", "is_preloaded", "preload", "seen"]

KINDS = (
    "made", "written", "synced", "renamed", "removed", "folder", "linked", "resized", "mode",
)  # fmt: skip


@dataclass(frozen=True)
class Way:
    """What becomes of the n-th change, as the shim numbers it; ``error`` is what a call says."""

    number: int
    error: int = 0

    @property
    def kills(self) -> bool:
        """Whether the process dies."""
        return self.number in (1, 2)


WAYS = {
    "count": Way(0),
    "kill": Way(1),  # before the call
    "torn": Way(2),  # after it; of a write after the first half
    "full": Way(3, errno.ENOSPC),  # the call fails, the next ones do not
    "broken": Way(3, errno.EIO),
    "full on": Way(4, errno.ENOSPC),  # this one and all that follow fail
}

_SOURCE = Path(__file__).with_name("shim.c")


def _build(folder: Path) -> Path | None:
    """Compile the shim; None where that is not possible."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None or sys.platform != "linux":
        return None
    library = folder / "shim.so"
    command = [compiler, "-O1", "-shared", "-fPIC", "-o", str(library), str(_SOURCE), "-ldl"]
    done = subprocess.run(command, capture_output=True, check=False)
    return library if done.returncode == 0 else None


def preload(program: list[str]) -> None:
    """Run a program of Python in this one's place, with the shim; return where there is none."""
    if is_preloaded() or "KILLS_SHIM" in os.environ:
        return
    with tempfile.TemporaryDirectory() as folder:
        library = _build(Path(folder))
        if library is None:
            return
        environment = {**os.environ, "LD_PRELOAD": str(library), "KILLS_SHIM": "1"}
        sys.exit(subprocess.run([sys.executable, *program], env=environment).returncode)


def is_preloaded() -> bool:
    """Whether this process runs with the shim."""
    return _shim() is not None


def arm(root: Path, number: int, way: Way) -> None:
    """From now on changes below ``root`` are counted; the n-th has its fate."""
    folder = os.path.realpath(root)
    if (shim := _shim()) is not None:
        shim.kills_arm(folder.encode(), ctypes.c_long(number), way.number, way.error)
    else:
        _Hook(folder, number, way).install()


def seen(kind: str | None = None) -> int:
    """Changes since ``arm``; of one kind, or all."""
    if (shim := _shim()) is not None:
        return int(shim.kills_seen(-1 if kind is None else KINDS.index(kind)))
    counts = _Hook.counts
    return sum(counts.values()) if kind is None else counts.get(kind, 0)


def _shim() -> Any:
    library = ctypes.CDLL(None)
    return library if hasattr(library, "kills_arm") else None


class _Hook:
    """What Python itself tells of files that change."""

    counts: dict[str, int] = {}  # noqa: RUF012 (there is one hook in a process)

    _EVENTS: dict[str, tuple[Literal["made", "renamed", "removed", "folder", "linked"], int]] = {  # noqa: RUF012
        "os.rename": ("renamed", 1),
        "os.remove": ("removed", 0),
        "os.rmdir": ("removed", 0),
        "os.mkdir": ("folder", 0),
        "os.link": ("linked", 1),
    }

    def __init__(self, root: str, number: int, way: Way) -> None:
        self.root, self.number, self.way = root, number, way
        _Hook.counts = {}

    def install(self) -> None:
        """For good: such hooks cannot be taken away."""
        sys.addaudithook(self._hear)
        os.fsync = self._synced(os.fsync)  # no event of its own

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = arguments
            makes = isinstance(flags, int) and flags & (os.O_CREAT | os.O_TRUNC)
            if makes and isinstance(path, str | bytes):
                self._changed("made", path)
        elif event in self._EVENTS:
            kind, place = self._EVENTS[event]
            self._changed(kind, arguments[place])

    def _synced(self, real: Callable[[int], None]) -> Callable[[int], None]:
        def fsync(descriptor: int) -> None:
            self._changed("synced", os.readlink(f"/proc/self/fd/{descriptor}"))
            real(descriptor)

        return fsync if os.path.isdir("/proc/self/fd") else real

    def _changed(self, kind: str, path: str | bytes) -> None:
        if not os.path.abspath(os.fsdecode(path)).startswith(self.root):
            return
        counts = _Hook.counts
        counts[kind] = counts.get(kind, 0) + 1
        total = sum(counts.values())
        if self.way.number == 0 or total < self.number:
            return
        if self.way.kills and total == self.number:
            os.kill(os.getpid(), signal.SIGKILL)
        on = self.way.number == 4 and kind != "removed"
        if self.way.error and (on or total == self.number):
            raise OSError(self.way.error, os.strerror(self.way.error))


if __name__ == "__main__":  # injection.py PROGRAM ARGUMENT …
    preload(sys.argv[1:])
    sys.exit(subprocess.run([sys.executable, *sys.argv[1:]]).returncode)
