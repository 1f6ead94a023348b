"""Tests of the native kernels are skipped where nobody can compile them, and nowhere else."""

from __future__ import annotations

import os
import sys

import pytest

from transduce.errors import EngineError
from transduce.kernels.compiler import find_compiler
from transduce.kernels.library import load_library

__all__ = ["require_kernels"]


def require_kernels() -> None:
    """Skip the test where there is no compiler, or kernels are turned off.

    Where there is one that fails, or does not end, the test fails with EngineError.
    """
    if os.environ.get("TRANSDUCE_NATIVE") == "0":
        pytest.skip("native kernels are turned off by TRANSDUCE_NATIVE=0")
    if os.name != "posix" or sys.maxsize <= 2**32:
        pytest.skip("native kernels need Linux or macOS with 64 bits")
    try:
        find_compiler(None)
    except EngineError as error:
        pytest.skip(str(error))
    load_library()
