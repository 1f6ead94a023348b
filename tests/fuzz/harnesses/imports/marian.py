"""Marian, with SentencePiece files and a list of its own."""

from __future__ import annotations

from fuzz.feeding.published import harness_of, written
from fuzz.harness import Files


def _samples() -> list[Files]:
    import families

    return [written(families.marian)]


HARNESS = harness_of("import-marian", _samples, task=True)
