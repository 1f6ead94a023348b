"""Words in capitals, or without any."""

from __future__ import annotations

from random import Random

__all__ = ["in_other_case"]


def in_other_case(word: str, chance: Random) -> str:
    """The word in capitals, in small letters, or with a capital in front: one of those that differ.

    A word without letters of two cases stays as it is.
    """
    forms = sorted({word.upper(), word.lower(), word.capitalize()} - {word})
    return chance.choice(forms) if forms else word
