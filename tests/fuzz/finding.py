"""All harnesses by name: whatever is called ``HARNESS`` or ``HARNESSES`` below ``harnesses``."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path

from fuzz.harness import Harness

__all__ = ["all_harnesses", "missing"]

HERE = Path(__file__).parent


def all_harnesses() -> dict[str, Harness]:
    """In the order of their files. Samples are not made yet."""
    found: dict[str, Harness] = {}
    for path in sorted((HERE / "harnesses").rglob("*.py")):
        if path.name == "__init__.py":
            continue
        name = ".".join(("fuzz", *path.relative_to(HERE).with_suffix("").parts))
        module = importlib.import_module(name)
        own = getattr(module, "HARNESSES", None) or [module.HARNESS]
        found |= {harness.name: harness for harness in own}
    return found


def missing(harness: Harness) -> str | None:
    """What a harness needs and cannot have here, in words; None where there is nothing."""
    for name in harness.needs:
        if importlib.util.find_spec(name) is None:
            return f"{name} is not installed"
    return harness.lacks()
