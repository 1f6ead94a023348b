"""The native kernels: compiled once on this machine, kept in the user's cache, loaded by ctypes."""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch

from transduce.errors import EngineError

__all__ = ["Library", "cache_folder", "has_library", "load_library"]

_SOURCES = Path(__file__).parent / "native"
_FLAGS = ("-std=c++20", "-O3", "-fPIC", "-shared", "-pthread", "-w")
_NATIVE = "-march=native"
_SECONDS = 300  # after which a compiler is taken for hung
_DISABLED = "TRANSDUCE_NATIVE"  # 0: act as if there were no compiler

_Pointer, _Int, _Long, _Float = ctypes.c_void_p, ctypes.c_int, ctypes.c_int64, ctypes.c_float


@dataclass(frozen=True)
class Library:
    """The loaded kernels."""

    functions: ctypes.CDLL
    path: Path

    @property
    def multiplies_int8(self) -> bool:
        """Whether int8 products are instructions."""
        return bool(self.functions.transduce_multiplies_int8())


def load_library(architecture: str | None = None) -> Library:
    """The kernels, compiled now if they are not in the cache.

    ``architecture`` is what the compiler's ``-march`` takes; None: the processor at hand.

    Raises EngineError where there is no compiler, or it fails; that too is found out once in a
    process, since every step of training asks.
    """
    found = _load(architecture)
    if isinstance(found, EngineError):
        raise found
    return found


def has_library() -> bool:
    """Whether :func:`load_library` gives the kernels for the processor at hand."""
    return isinstance(_load(None), Library)


@cache
def _load(architecture: str | None) -> Library | EngineError:
    try:
        return _compiled(architecture)
    except EngineError as error:
        return error


def _compiled(architecture: str | None) -> Library:
    if os.environ.get(_DISABLED) == "0":
        raise EngineError(f"native kernels are turned off by {_DISABLED}=0")
    if os.name != "posix" or sys.maxsize <= 2**32:
        raise EngineError("native kernels need Linux or macOS with 64 bits")
    compiler = _compiler()
    flags = [f"-march={architecture}"] if architecture else [_NATIVE]
    path = cache_folder() / f"engine-{_fingerprint(compiler, flags)}.so"
    if not path.is_file():
        _compile(compiler, flags, path)
    try:
        functions = ctypes.CDLL(str(path))
    except OSError as error:
        raise EngineError(f"{path}: native kernels cannot be loaded ({error})") from None
    _declare(functions)
    _share_threads(functions)
    return Library(functions, path)


def _share_threads(functions: ctypes.CDLL) -> None:
    """Lend the kernels the threads of torch's OpenMP, where it is found; else they have their own.

    Two pools of threads, each spinning while it waits, take the processors from each other.
    """
    for file in sorted((Path(torch.__file__).parent / "lib").glob("lib*omp*")):
        try:
            runtime = ctypes.CDLL(str(file))  # the one that is loaded already
            names = ("GOMP_parallel", "omp_get_thread_num", "omp_get_num_threads")
            addresses = [ctypes.cast(getattr(runtime, name), _Pointer) for name in names]
        except (OSError, AttributeError):
            continue
        functions.transduce_use_openmp(*addresses)
        return


def cache_folder() -> Path:
    """Where compiled kernels are kept: ``$XDG_CACHE_HOME/transduce``, else ``~/.cache``."""
    root = os.environ.get("XDG_CACHE_HOME")
    return (Path(root) if root else Path.home() / ".cache") / "transduce"


def _compiler() -> list[str]:
    named = os.environ.get("CXX")
    if named:
        return shlex.split(named)
    for name in ("c++", "g++", "clang++"):
        if found := shutil.which(name):
            return [found]
    raise EngineError("native kernels need a C++ compiler (g++ or clang++); found none")


def _fingerprint(compiler: list[str], flags: list[str]) -> str:
    """Names sources, compiler, flags and processor: another of any is compiled anew."""
    digest = hashlib.sha256()
    for source in sorted(_SOURCES.iterdir()):
        digest.update(source.name.encode() + source.read_bytes())
    digest.update(repr((compiler, flags, _FLAGS, platform.machine(), _processor())).encode())
    return digest.hexdigest()[:16]


def _processor() -> str:
    """What the processor can do; a home folder may be shared between machines."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as lines:
            return next((line for line in lines if line.startswith(("flags", "Features"))), "")
    except OSError:
        return platform.processor()


def _compile(compiler: list[str], flags: list[str], path: Path) -> None:
    """Build aside, rename into place: others may be building the same file."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(suffix=".so", dir=path.parent)
    except OSError as error:
        raise EngineError(
            f"{path.parent}: native kernels cannot be written ({error.strerror})"
        ) from None
    os.close(handle)
    source = str(_SOURCES / "engine.cpp")
    try:
        result = _run([*compiler, *_FLAGS, *flags, source, "-o", temporary])
        if result.returncode and flags == [_NATIVE]:  # some compilers do not know the flag
            result = _run([*compiler, *_FLAGS, source, "-o", temporary])
        if result.returncode:
            first = (result.stderr.strip().splitlines() or ["no message"])[0]
            raise EngineError(f"native kernels could not be compiled by {compiler[0]}: {first}")
        os.replace(temporary, path)
    finally:
        Path(temporary).unlink(missing_ok=True)


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command, capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EngineError(f"native kernels could not be compiled: {error}") from None


def _declare(functions: ctypes.CDLL) -> None:
    """Argument types of ``native/engine.cpp``."""
    declared: dict[str, tuple[object, list[object]]] = {
        "multiplies_int8": (_Int, []),
        "use_openmp": (None, [_Pointer] * 3),
        "weight": (_Pointer, [_Int, _Pointer, _Pointer, _Int, _Int, _Float]),
        "free_weight": (None, [_Pointer]),
        "program": (_Pointer, []),
        "free_program": (None, [_Pointer]),
        "buffer": (_Int, [_Pointer, _Int]),
        "embed": (None, [_Pointer, _Int, _Int, _Pointer, _Float]),
        "positions": (None, [_Pointer, _Int, _Int, _Int]),
        "linear": (None, [_Pointer, _Int, _Int, _Pointer, _Int, _Int]),
        "norm": (None, [_Pointer, _Int, _Int, _Pointer, _Pointer, _Float, _Int]),
        "gate": (None, [_Pointer, _Int, _Int, _Int]),
        "place": (None, [_Pointer, _Int, _Int, _Int]),
        "move": (None, [_Pointer, _Int, _Int, _Int, _Int, _Int]),
        "cell": (None, [_Pointer, _Int, _Int, _Int, _Int, _Int]),
        "recurrence": (None, [_Pointer, _Int, _Int, _Pointer, *[_Int] * 7]),
        "ancestry_attention": (None, [_Pointer, *[_Int] * 12]),
        "source_attention": (None, [_Pointer, *[_Int] * 10]),
        "windows": (None, [_Pointer, *[_Int] * 6]),
        "store_memory": (None, [_Pointer, *[_Int] * 7]),
        "memory_attention": (None, [_Pointer, *[_Int] * 11, _Float, _Pointer, _Int]),
        "vocabulary": (None, [_Pointer, _Int, _Pointer, *[_Int] * 4]),
        "loss_rows": (_Int, [_Int, _Int, _Pointer, _Long, _Long, _Pointer, _Pointer]),
        "loss_gradient": (
            _Int,
            [_Int, _Int, *[_Pointer] * 3, _Long, _Long, _Float, _Float, _Pointer],
        ),
        "lstm": (_Int, [_Int, _Int, *[_Pointer] * 3]),
        "lstm_back": (_Int, [_Int, _Int, *[_Pointer] * 4]),
        "run_apart": (_Int, [_Pointer, _Int, _Pointer, _Long]),
        "run": (_Int, [_Pointer, _Int, _Pointer]),
        "search": (_Int, [_Pointer, _Int, _Int, *[_Pointer] * 4]),
        "weight_bytes": (_Long, [_Pointer]),
    }
    for name, (result, arguments) in declared.items():
        function = getattr(functions, f"transduce_{name}")
        function.restype, function.argtypes = result, arguments
