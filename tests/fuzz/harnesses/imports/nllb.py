"""NLLB."""

from __future__ import annotations

from fuzz.feeding.published import harness_of, written
from fuzz.harness import Files


def _samples() -> list[Files]:
    import families

    return [written(families.nllb, source_language="eng_Latn", target_language="fra_Latn")]


HARNESS = harness_of("import-nllb", _samples)
