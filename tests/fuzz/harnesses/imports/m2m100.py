"""M2M-100."""

from __future__ import annotations

from fuzz.feeding.published import harness_of, written
from fuzz.harness import Files


def _samples() -> list[Files]:
    import families

    return [written(families.m2m100, source_language="en", target_language="fr")]


HARNESS = harness_of("import-m2m100", _samples)
