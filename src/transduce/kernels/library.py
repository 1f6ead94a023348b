"""The native kernels: compiled once on this machine, kept in the user's cache, loaded by ctypes."""

from __future__ import annotations

import ctypes
import logging
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from transduce.errors import EngineError
from transduce.kernels.border import Given, Numbers, checked
from transduce.kernels.cache import (
    CacheError,
    cache_folders,
    is_ours_and_whole,
    replacing_library,
    secure_folder,
)
from transduce.kernels.compiler import Compiler, find_compiler
from transduce.kernels.running.notes import Notes

__all__ = [
    "COMPILING",
    "DECLARED",
    "Functions",
    "Library",
    "has_library",
    "library_name",
    "load_library",
]

_DISABLED = "TRANSDUCE_NATIVE"  # 0: act as if there were no compiler
COMPILING = "native kernels are compiled for this machine, once; this may take a minute"
_LOG = logging.getLogger("transduce")

_Pointer, _Int, _Long, _Float = ctypes.c_void_p, ctypes.c_int, ctypes.c_int64, ctypes.c_float


class Functions:
    """The functions of ``native/engine.cpp`` by their names, without the prefix.

    Integers that do not fit are refused. What gives an integer gives a fault, of which
    :func:`transduce.kernels.border.raise_refusal` tells more; 0: none.
    """

    def __init__(self, library: ctypes.CDLL) -> None:
        """Raises AttributeError where one is not there."""
        self.sharing = False  # threads, with torch
        for name, (result, arguments) in DECLARED.items():
            function = getattr(library, f"transduce_{name}")
            function.restype, function.argtypes = result, arguments
            setattr(self, name, checked(function, arguments))

    def __getattr__(self, name: str) -> Callable[..., Any]:
        raise AttributeError(f"the kernels have no function {name}")


@dataclass(frozen=True)
class Library:
    """The loaded kernels; ``notes`` are taken of the programs that are written for them."""

    functions: Functions
    path: Path
    notes: Notes | None = None

    @property
    def multiplies_int8(self) -> bool:
        """Whether int8 products are instructions."""
        return bool(self.functions.multiplies_int8())


def load_library(architecture: str | None = None) -> Library:
    """The kernels, compiled now if they are not in the cache.

    ``architecture`` is what the compiler's ``-march`` takes; None: the processor at hand.

    Raises EngineError where there is no compiler, or it fails; that too is found out once in a
    process, since every step of training asks.
    """
    found = _load(architecture)
    if isinstance(found, EngineError):
        raise found
    _share_threads(found.functions)
    return found


def library_name() -> str:
    """The file's name, which says from what and for which processor the kernels are compiled.

    Raises EngineError where there are none to be had.
    """
    _require_native()
    return _named(find_compiler(None))


def _named(compiler: Compiler) -> str:
    return f"engine-{compiler.fingerprint()}.so"


def has_library() -> bool:
    """Whether :func:`load_library` gives the kernels for the processor at hand."""
    return isinstance(_load(None), Library)


@cache
def _load(architecture: str | None) -> Library | EngineError:
    try:
        return _compiled(architecture)
    except EngineError as error:
        return error


def _require_native() -> None:
    if os.environ.get(_DISABLED) == "0":
        raise EngineError(f"native kernels are turned off by {_DISABLED}=0")
    if os.name != "posix" or sys.maxsize <= 2**32:
        raise EngineError("native kernels need Linux or macOS with 64 bits")


def _compiled(architecture: str | None) -> Library:
    _require_native()
    compiler = find_compiler(architecture)
    name = _named(compiler)
    refused: list[str] = []
    for folder in cache_folders():
        try:
            secure_folder(folder)
            _ensure_compiled(compiler, folder / name)
            library = _loaded(folder / name)
        except CacheError as error:
            refused.append(str(error))
        else:
            if refused:
                _LOG.warning("%s; they are kept in %s", refused[0], folder)
            return library
    raise EngineError(
        "; ".join(refused) or "native kernels need a folder to be kept in; found none"
    )


def _ensure_compiled(compiler: Compiler, path: Path) -> None:
    """Compile what is not there, what others might have changed and what was cut."""
    if not is_ours_and_whole(path):
        with replacing_library(path) as aside:
            # A warning: what is quieter nobody sees, and a wait without a word looks like an end.
            _LOG.warning(COMPILING)
            compiler.compile(aside)


def _loaded(path: Path) -> Library:
    try:
        functions = Functions(ctypes.CDLL(str(path)))
    except (OSError, AttributeError) as error:
        raise CacheError(f"{path}: native kernels cannot be loaded ({error})") from None
    return Library(functions, path)


def _share_threads(functions: Functions) -> None:
    """Lend the kernels the threads of torch's OpenMP, where it is found; else they have their own.

    Two pools of threads, each spinning while it waits, take the processors from each other. Where
    torch is not loaded, there is only one.
    """
    torch = sys.modules.get("torch")
    if functions.sharing or torch is None or torch.__file__ is None:
        return
    functions.sharing = True
    for file in sorted((Path(torch.__file__).parent / "lib").glob("lib*omp*")):
        try:
            runtime = ctypes.CDLL(str(file))  # the one that is loaded already
            names = ("GOMP_parallel", "omp_get_thread_num", "omp_get_num_threads")
            addresses = [ctypes.cast(getattr(runtime, name), _Pointer) for name in names]
        except (OSError, AttributeError):
            continue
        functions.use_openmp(*addresses)
        return


DECLARED: dict[str, tuple[Any, list[Any]]] = {
    "multiplies_int8": (_Int, []),
    "use_openmp": (None, [_Pointer] * 3),
    "report": (None, [_Pointer]),
    "weight": (_Int, [_Int, Numbers, Numbers, _Int, _Int, _Float, _Pointer]),
    "weight_of_codes": (_Int, [Given, Numbers, Numbers, _Int, _Int, _Float, _Pointer]),
    "weight_of_groups": (_Int, [Given, Given, Numbers, Numbers, _Int, _Int, _Float, _Pointer]),
    "free_weight": (None, [_Pointer]),
    "program": (_Pointer, []),
    "free_program": (None, [_Pointer]),
    "buffer": (_Int, [_Pointer, _Int, _Int, _Pointer]),
    "embed": (_Int, [_Pointer, _Int, _Int, _Long, Numbers, _Float]),
    "packed_embed": (_Int, [_Pointer, _Int, _Int, _Pointer, _Float]),
    "positions": (_Int, [_Pointer, _Int, _Int, _Int]),
    "linear": (_Int, [_Pointer, _Int, _Int, _Pointer, _Int, _Int]),
    "norm": (_Int, [_Pointer, _Int, _Int, Numbers, Numbers, _Float, _Int]),
    "gate": (_Int, [_Pointer, _Int, _Int, _Int]),
    "place": (_Int, [_Pointer, _Int, _Int, _Int]),
    "block_means": (_Int, [_Pointer, *[_Int] * 3]),
    "mean": (_Int, [_Pointer, _Int, _Int, _Int]),
    "move": (_Int, [_Pointer, _Int, _Int, _Int, _Int, _Int]),
    "cell": (_Int, [_Pointer, _Int, _Int, _Int, _Int, _Int]),
    "recurrence": (_Int, [_Pointer, _Int, _Int, _Pointer, *[_Int] * 7]),
    "simple_recurrence": (_Int, [_Pointer, *[_Int] * 6]),
    "source_scan": (_Int, [_Pointer, *[_Int] * 3]),
    "key_value_sums": (_Int, [_Pointer, *[_Int] * 6]),
    "linear_attention": (_Int, [_Pointer, *[_Int] * 7]),
    "source_convolution": (_Int, [_Pointer, *[_Int] * 3, Numbers, Numbers]),
    "state_space_back": (_Int, [_Pointer, *[_Int] * 5, Numbers]),
    "state_space_onwards": (_Int, [_Pointer, *[_Int] * 7, Numbers, Numbers]),
    "ancestry_attention": (_Int, [_Pointer, *[_Int] * 12]),
    "source_attention": (_Int, [_Pointer, *[_Int] * 12]),
    "windows": (_Int, [_Pointer, *[_Int] * 9]),
    "store_memory": (_Int, [_Pointer, *[_Int] * 7]),
    "memory_attention": (_Int, [_Pointer, *[_Int] * 11, _Float, Numbers, _Int]),
    "vocabulary": (_Int, [_Pointer, _Int, _Pointer, *[_Int] * 6]),
    "copy": (_Int, [_Pointer, *[_Int] * 6]),
    "loss_rows": (_Int, [_Int, _Int, _Pointer, _Long, _Long, _Pointer, _Pointer]),
    "loss_gradient": (
        _Int,
        [_Int, _Int, *[_Pointer] * 3, _Long, _Long, _Float, _Float, _Pointer],
    ),
    "lstm": (_Int, [_Int, _Int, *[_Pointer] * 3]),
    "lstm_back": (_Int, [_Int, _Int, *[_Pointer] * 4]),
    "scan": (_Int, [_Int, *[_Pointer] * 5]),
    "scan_back": (_Int, [_Int, *[_Pointer] * 4]),
    "selective_scan": (_Int, [_Int, *[_Pointer] * 4]),
    "selective_scan_back": (_Int, [_Int, *[_Pointer] * 5]),
    "selective_scan_groups": (_Long, [_Pointer]),
    "round_groups": (
        _Int,
        [_Int, _Pointer, _Long, _Long, _Pointer, _Int, *[_Pointer] * 3],
    ),
    "powers": (_Int, [_Pointer, _Long, _Pointer]),
    "ctc_scores": (_Int, [_Int, *[_Pointer] * 4, _Long, _Pointer]),
    "ctc_advance": (_Int, [_Int, *[_Pointer] * 6]),
    "run": (_Int, [_Pointer, _Int, _Pointer]),
    "run_apart": (_Int, [_Pointer, _Int, _Pointer, _Long]),
    "search": (_Int, [_Pointer, _Int, _Int, *[_Pointer] * 4]),
    "weight_bytes": (_Long, [_Pointer]),
}
