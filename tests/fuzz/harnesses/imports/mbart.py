"""mBART."""

from __future__ import annotations

from fuzz.feeding.published import harness_of, written
from fuzz.harness import Files


def _samples() -> list[Files]:
    import families

    return [
        written(write, source_language="en_XX") for write in (families.mbart, families.mbart_25)
    ]


HARNESS = harness_of("import-mbart", _samples)
