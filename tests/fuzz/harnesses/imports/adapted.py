"""Networks that transformers runs for us."""

from __future__ import annotations

from fuzz.feeding.published import harness_of, written
from fuzz.harness import Files


def _samples() -> list[Files]:
    import library_models

    return [
        written(library_models.write_bert_to_gpt2),
        written(library_models.write_gpt2),
        written(library_models.write_trocr),
    ]


HARNESS = harness_of("import-adapted", _samples, quick=3)
