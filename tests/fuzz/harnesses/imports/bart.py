"""BART."""

from __future__ import annotations

from fuzz.feeding.published import harness_of, written
from fuzz.harness import Files


def _samples() -> list[Files]:
    import families

    return [written(write) for write in (families.bart, families.bart_forced)]


HARNESS = harness_of("import-bart", _samples)
