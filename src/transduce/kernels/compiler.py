"""The system's C++ compiler: which one, with which flags, for which processor."""

from __future__ import annotations

import hashlib
import logging
import os
import platform
import shlex
import shutil
import signal
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from transduce.errors import EngineError

__all__ = ["Compiler", "find_compiler"]

_LOG = logging.getLogger("transduce")
_SOURCES = Path(__file__).parent / "native"
_FLAGS = ("-std=c++20", "-O3", "-fPIC", "-shared", "-pthread", "-w")
_NATIVE = "-march=native"
_LOOK = 300.0  # seconds between two looks at a compiler that takes long
_MOST = 3600.0  # after which it is taken for hung: a busy machine takes minutes
_MORE_FLAGS = "TRANSDUCE_CXXFLAGS"  # behind our own: -O1 -fsanitize=address


@dataclass(frozen=True)
class Compiler:
    """A command line that makes the kernels: ``command``, ``flags``, and for which processor."""

    command: tuple[str, ...]
    flags: tuple[str, ...]
    processor: str

    def fingerprint(self) -> str:
        """Names sources, compiler, flags and processor: another of any is compiled anew.

        Raises EngineError where the sources are not there.
        """
        digest = hashlib.sha256()
        try:
            for source in sorted(_SOURCES.iterdir()):
                digest.update(source.name.encode() + source.read_bytes())
        except OSError as error:
            raise EngineError(f"{_SOURCES}: native sources cannot be read ({error})") from None
        chosen = (self.command, self.flags, self.processor, platform.machine(), _instructions())
        digest.update(repr(chosen).encode(errors="surrogateescape"))
        return digest.hexdigest()[:16]

    def compile(self, out: Path) -> None:
        """Write the kernels to ``out``. Raises EngineError where the compiler fails."""
        rest = [*self.flags, str(_SOURCES / "engine.cpp"), "-o", str(out)]
        result = _run([*self.command, self.processor, *rest])
        if result.returncode and self.processor == _NATIVE:  # some compilers do not know the flag
            result = _run([*self.command, *rest])
        if result.returncode:
            raise EngineError(
                f"native kernels could not be compiled by {self.command[0]}: {_what(result.stderr)}"
            )


def find_compiler(architecture: str | None) -> Compiler:
    """``CXX``, else the first of ``c++``, ``g++`` and ``clang++``.

    ``architecture`` is what ``-march`` takes; None: the processor at hand. Raises EngineError where
    there is none, or a variable of the environment is no command line.
    """
    named = _words("CXX")
    found = (path for name in ("c++", "g++", "clang++") if (path := shutil.which(name)))
    command = named or [path for path in [next(found, None)] if path]
    if not command:
        raise EngineError("native kernels need a C++ compiler (g++ or clang++); found none")
    processor = f"-march={architecture}" if architecture else _NATIVE
    return Compiler(tuple(command), (*_FLAGS, *_words(_MORE_FLAGS)), processor)


def _words(variable: str) -> list[str]:
    """A variable of the environment as a shell would read it."""
    value = os.environ.get(variable, "")
    try:
        return shlex.split(value)
    except ValueError as error:
        raise EngineError(
            f"{variable} must be a command line that a shell can read; "
            f"got {value!r} ({str(error).lower()})"
        ) from None


def _what(said: str) -> str:
    """The line of a compiler's messages that says what is wrong."""
    lines = said.strip().splitlines() or ["no message"]
    wrong = (line for line in lines if "error" in line.lower() or "failed" in line.lower())
    return next(wrong, lines[0])


def _instructions() -> str:
    """What the processor can do; a home folder may be shared between machines."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as lines:
            return next((line for line in lines if line.startswith(("flags", "Features"))), "")
    except OSError:
        return platform.processor()


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,  # a compiler has children, which must end with it
        )
    except (OSError, ValueError) as error:
        raise EngineError(f"native kernels could not be compiled: {error}") from None
    with process:
        try:
            out, err = _ended(process)
        except BaseException:
            with suppress(OSError):
                os.killpg(process.pid, signal.SIGKILL)
            raise
    return subprocess.CompletedProcess(command, process.returncode, out, err)


def _ended(process: subprocess.Popen[str]) -> tuple[str, str]:
    """What a compiler said; while it takes long, that is said."""
    waited = 0.0
    while waited < _MOST:
        try:
            return process.communicate(timeout=_LOOK)
        except subprocess.TimeoutExpired:
            waited += _LOOK
            _LOG.warning("native kernels are still being compiled after %d minutes", waited / 60)
    raise EngineError(
        f"native kernels could not be compiled: the compiler had not ended after {_MOST / 60:g} "
        "minutes"
    )
