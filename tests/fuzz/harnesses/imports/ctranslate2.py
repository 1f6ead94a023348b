"""CTranslate2's model.bin and what lies beside it."""

from __future__ import annotations

from fuzz.feeding.published import harness_of, written
from fuzz.harness import Files
from fuzz.mutations.octets import at_start, octets, several


def _samples() -> list[Files]:
    import test_ctranslate2_layout as layout

    return [written(layout.transformer), written(layout.whisper)]


HARNESS = harness_of(
    "import-ctranslate2",
    _samples,
    own={"model.bin": several(octets, at_start(300))},
    needs=(),
    quick=12,
)
