"""What a measurement was made on: processor, threads, versions; and how to make it do with less."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

__all__ = ["capped_environment", "describe_machine", "kernel_architecture", "peak_memory"]

_FEATURES = (
    "avx2",
    "avx512f",
    "avx512_vnni",
    "avx512_bf16",
    "amx_bf16",
    "amx_int8",
    "asimd",
    "i8mm",
)
_CAP = "ONEDNN_MAX_CPU_ISA"
# What the other libraries in the process call the same processor.
_COMPANIONS = {
    "AVX2": {
        "MKL_ENABLE_INSTRUCTIONS": "AVX2",
        "ATEN_CPU_CAPABILITY": "avx2",
        "CT2_FORCE_CPU_ISA": "AVX2",
    },
    "AVX512_CORE_VNNI": {"MKL_ENABLE_INSTRUCTIONS": "AVX512_E1", "CT2_FORCE_CPU_ISA": "AVX512"},
}
_ARCHITECTURES = {"AVX2": "haswell", "AVX512_CORE_VNNI": "cascadelake"}


def capped_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """With ``ONEDNN_MAX_CPU_ISA`` said to MKL, torch and CTranslate2 in their own words too."""
    return {**_COMPANIONS.get(environment.get(_CAP, ""), {}), **environment}


def kernel_architecture() -> str | None:
    """What our own kernels are compiled for; None for the processor as it is."""
    return _ARCHITECTURES.get(os.environ.get(_CAP, ""))


def describe_machine() -> dict[str, str]:
    """Processor, its features and what caps them, versions of the packages that are here."""
    fields = _processor()
    flags = set(fields.get("flags", fields.get("Features", "")).split())
    described = {
        "processor": fields.get("model name", platform.processor() or platform.machine()),
        "processors": str(len(os.sched_getaffinity(0))),
        "features": " ".join(name for name in _FEATURES if name in flags),
        "cap": os.environ.get(_CAP, "none"),
        "python": platform.python_version(),
    }
    for package in ("torch", "transduce", "ctranslate2", "transformers"):
        try:
            described[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            described[package] = "not installed"
    return described


def peak_memory() -> float:
    """The largest resident memory of this process so far, in MB; Linux only, elsewhere 0.

    Not ``ru_maxrss``: that counts what the parent held when it started the process.
    """
    try:
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), 0.0)


def _processor() -> dict[str, str]:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    pairs = (line.partition(":") for line in text.split("\n\n")[0].splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}
