"""Labels for pictures: symbols of any script, with a font that has them.

matplotlib warns and draws a box where a font lacks a glyph. So fonts are looked
up first, and what no installed font has is written as its code, U+XXXX.
"""

from __future__ import annotations

import logging
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache

__all__ = ["quiet", "readable", "with_fonts"]

_MAIN = "DejaVu Sans"  # comes with matplotlib: Latin, IPA, Greek, Cyrillic, Georgian, Arabic, …
# Covers every character with a box, or has pictures that cannot be drawn as outlines.
_UNFIT = ("last", "emoji", "adobe blank")


@contextmanager
def quiet() -> Iterator[None]:
    """No notes from matplotlib's loggers (font cache being built, folders not writable)."""
    logger = logging.getLogger("matplotlib")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def with_fonts(texts: Sequence[str], *, longest: int = 24) -> tuple[list[str], list[str]]:
    """Texts that can be drawn and the font families to draw them with, in order of preference.

    Each is cut after ``longest`` characters; a character without a glyph in any
    installed font becomes ``U+XXXX``.
    """
    shown = [readable(text, longest) for text in texts]
    missing = {character for text in shown for character in text} - _glyphs(_MAIN)
    families = [_MAIN]
    for family in _others() if missing else ():
        found = missing & _glyphs(family)
        if found:
            families.append(family)
            missing -= found
        if not missing:
            break
    return [_without(text, missing) for text in shown], families


def readable(text: str, longest: int = 24) -> str:
    """A symbol that can be seen: space as ␣, a lone accent on ◌, codes for controls.

    Of one longer than ``longest`` characters the beginning is left.
    """
    if len(text) > longest:
        text = text[: longest - 1] + "…"
    if text and unicodedata.category(text[0])[0] == "M":
        text = "◌" + text
    return "".join(map(_visible, text))


def _visible(character: str) -> str:
    if character == " ":
        return "␣"
    if unicodedata.category(character)[0] in "CZ":
        return f"U+{ord(character):04X}"
    return character


def _without(text: str, missing: Iterable[str]) -> str:
    for character in missing:
        text = text.replace(character, f"U+{ord(character):04X}")
    return text


@lru_cache(maxsize=1)
def _others() -> tuple[str, ...]:
    """Installed families, those made to cover many scripts first."""
    with quiet():
        from matplotlib import font_manager  # lazy for start-up time alone

        names = {entry.name for entry in font_manager.fontManager.ttflist} - {_MAIN}
    fit = [name for name in names if not any(word in name.lower() for word in _UNFIT)]
    preferred = ("Noto Sans CJK", "Noto Sans", "Source Han Sans", "Noto", "")

    def rank(name: str) -> tuple[int, str]:
        return [name.startswith(start) for start in preferred].index(True), name

    return tuple(sorted(fit, key=rank))


@lru_cache(maxsize=512)
def _glyphs(family: str) -> frozenset[str]:
    """Characters that the regular font of a family has; none where it cannot be read."""
    with quiet():
        from matplotlib import font_manager  # lazy for start-up time alone

        try:
            path = font_manager.findfont(
                font_manager.FontProperties(family=[family]), fallback_to_default=False
            )
            codes = font_manager.get_font(path).get_charmap()
        except (OSError, RuntimeError, ValueError):
            return frozenset()
    return frozenset(map(chr, codes))
