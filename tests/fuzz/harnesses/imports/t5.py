"""T5, mT5 and ByT5."""

from __future__ import annotations

from fuzz.feeding.published import harness_of, written
from fuzz.harness import Files


def _samples() -> list[Files]:
    import families

    return [written(write) for write in (families.t5, families.t5_gated, families.byt5)]


HARNESS = harness_of("import-t5", _samples, task=True)
