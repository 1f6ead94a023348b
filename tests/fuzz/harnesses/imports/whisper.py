"""Whisper."""

from __future__ import annotations

from fuzz.feeding.published import harness_of, written
from fuzz.harness import Files


def _samples() -> list[Files]:
    import whisper_models

    return [
        written(whisper_models.save_model),
        written(lambda folder: whisper_models.save_model(folder, languages=True)),
    ]


HARNESS = harness_of("import-whisper", _samples, quick=4)
