"""The native kernels for tests: skipped where there is no compiler."""

from __future__ import annotations

import platform

import pytest

from transduce.engine.library import Library, load_library
from transduce.errors import EngineError

# The twin without vector instructions, which any processor of the family runs.
PORTABLE = "x86-64" if platform.machine() in ("x86_64", "AMD64") else None


def kernels(architecture: str | None = None) -> Library:
    """The compiled kernels, or a skipped test."""
    try:
        return load_library(architecture)
    except EngineError as error:
        pytest.skip(str(error))
