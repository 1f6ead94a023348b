"""Tests of the native kernels: where they are skipped, and how many threads they take."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor

from transduce.errors import EngineError
from transduce.kernels.compiler import find_compiler
from transduce.kernels.library import load_library

__all__ = ["by_threads", "require_kernels"]


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


def by_threads(counts: Sequence[int], make: Callable[[], list[Tensor]]) -> list[list[Tensor]]:
    """What is made with each of so many threads."""
    before, found = torch.get_num_threads(), []
    try:
        for count in counts:
            torch.set_num_threads(count)
            found.append(make())
    finally:
        torch.set_num_threads(before)
    return found
