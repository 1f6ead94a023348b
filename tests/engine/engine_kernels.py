"""The native kernels for tests, processor by processor."""

from __future__ import annotations

import platform

from native_kernels import require_kernels
from transduce.kernels.library import Library, load_library
from transduce.kernels.processor import processor_features

# Processors of the family that can do less: none of the vector instructions, AVX2, AVX-512 alone.
LESSER = []
if platform.machine() in ("x86_64", "AMD64"):
    LESSER.append("x86-64")
    if "avx2" in processor_features():
        LESSER.append("haswell")
    if "avx512_f" in processor_features():
        LESSER.append("skylake-avx512")


def kernels(architecture: str | None = None) -> Library:
    """The compiled kernels; the test is skipped where there is no compiler."""
    require_kernels()
    return load_library(architecture)
