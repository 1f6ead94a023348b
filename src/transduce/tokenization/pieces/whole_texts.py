"""Texts that stay whole wherever they stand."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["WholeTexts"]


class WholeTexts:
    """Finds the longest of some texts that stands at a place of another.

    ``begins`` are their first characters.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        self._texts = frozenset(texts)
        lengths: dict[str, set[int]] = {}
        for text in self._texts:
            lengths.setdefault(text[0], set()).add(len(text))
        self._lengths = {c: sorted(found, reverse=True) for c, found in lengths.items()}
        self.begins = frozenset(self._lengths)

    def __contains__(self, text: str) -> bool:
        return text in self._texts

    def longest(self, text: str, place: int) -> str | None:
        """The longest that stands there; None where none does."""
        for length in self._lengths.get(text[place], ()):
            if (found := text[place : place + length]) in self._texts:
                return found
        return None
