"""What no reader may do, whatever it reads: ask people, the network or processes, write elsewhere.

Seen by Python's audit events; what C code does by itself is not.
"""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from typing import Any

__all__ = ["Guards"]

_FORBIDDEN = {
    "socket.connect": "the network is asked",
    "socket.getaddrinfo": "the network is asked",
    "urllib.Request": "the network is asked",
    "subprocess.Popen": "a process is started",
    "os.system": "a process is started",
    "os.exec": "a process is started",
    "os.posix_spawn": "a process is started",
    "os.spawn": "a process is started",
    "pty.spawn": "a process is started",
    "pickle.find_class": "a pickle is run",
    "builtins.input": "a person is asked",
}
_MOVES = {"os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.truncate"}
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class EscapeError(BaseException):
    """Raised where it is forbidden to go on; no reader may catch it."""


class Guards:
    """Installed once in a process, watched between inputs. ``seen`` is what was done."""

    def __init__(self, *homes: Path) -> None:
        """Only below these folders is written, and nothing there is code."""
        self.seen: list[str] = []
        self.watching = False
        self._homes = tuple(str(home.resolve()) + os.sep for home in homes)

    def install(self) -> None:
        """Watch from now on, and leave nothing on standard input."""
        sys.addaudithook(self._hook)
        sys.stdin = _Asked(self)

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.watching:
            return
        if event == "open":
            self._opened(arguments)
        elif event == "import":
            self._is_no_code(arguments[1])
        elif event == "exec":
            self._is_no_code(getattr(arguments[0], "co_filename", None))
        elif event in _FORBIDDEN:
            self._refuse(f"{_FORBIDDEN[event]} ({event} {str(arguments)[:100]})")
        elif event in _MOVES:
            for path in arguments[:2]:
                if isinstance(path, str | bytes | os.PathLike) and path != "":
                    self._inside(path, event)

    def _opened(self, arguments: tuple[Any, ...]) -> None:
        path, _, flags = arguments
        if isinstance(flags, int) and flags & _WRITING and isinstance(path, str | bytes):
            self._inside(path, "open")

    def _is_no_code(self, file: Any) -> None:
        if not isinstance(file, str) or file.startswith("<"):  # made by a program
            return
        if os.path.abspath(file).startswith(self._homes):
            self._refuse(f"code of an input is run ({file})")

    def _inside(self, path: str | bytes | os.PathLike[Any], event: str) -> None:
        name = os.path.abspath(os.fsdecode(path))
        allowed = (*self._homes, "/dev/null", "/dev/shm/", "/proc/self/")
        if not f"{name}{os.sep}".startswith(allowed):
            self._refuse(f"{event} is done outside of the input's folder ({name[:200]})")

    def _refuse(self, what: str) -> None:
        self.seen.append(what)
        raise EscapeError(what)


class _Asked(io.TextIOBase):
    """Standard input that nobody is to read."""

    def __init__(self, guards: Guards) -> None:
        self._guards = guards

    def readable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return True

    def readline(self, *_: object) -> str:  # type: ignore[override]
        self._guards._refuse("standard input is read")
        return ""

    read = readline  # type: ignore[assignment]

    def fileno(self) -> int:
        raise io.UnsupportedOperation("fileno")
