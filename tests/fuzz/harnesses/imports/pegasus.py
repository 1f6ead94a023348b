"""Pegasus."""

from __future__ import annotations

from fuzz.feeding.published import harness_of, written
from fuzz.harness import Files


def _samples() -> list[Files]:
    import families

    return [written(families.pegasus)]


HARNESS = harness_of("import-pegasus", _samples)
