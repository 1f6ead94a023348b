"""Words as who has no such keys writes them: without accents."""

from __future__ import annotations

import unicodedata
from random import Random

__all__ = ["without_accents"]


def without_accents(word: str, chance: Random) -> str:
    """The word without the marks on its letters: ``über`` is ``uber``. Nothing is random here.

    Letters that are no others with a mark (``ß``, ``ø``) stay.
    """
    parts = unicodedata.normalize("NFD", word)
    plain = "".join(part for part in parts if unicodedata.category(part) != "Mn")
    return word if plain == parts else unicodedata.normalize("NFC", plain)
