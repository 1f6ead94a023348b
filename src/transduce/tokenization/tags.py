"""Tags of a source (features, a language) written into its text as symbols.

A source of several columns is one string; each tag stands in it as ``⟪TAG⟫``
(U+27EA, U+27EB). A tokenizer holds each such symbol as one token.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

__all__ = ["TAG_CLOSE", "TAG_OPEN", "cut_at_tags", "find_tags", "tag_symbol", "without_tags"]

TAG_OPEN, TAG_CLOSE = "\u27ea", "\u27eb"

_SYMBOL = re.compile(f"{TAG_OPEN}[^{TAG_OPEN}{TAG_CLOSE}]+{TAG_CLOSE}")


def tag_symbol(tag: str) -> str:
    """The symbol of a tag: ``tag_symbol("PL") == "⟪PL⟫"``.

    Raises ValueError where the tag is empty or holds a bracket of its own.
    """
    if not tag or TAG_OPEN in tag or TAG_CLOSE in tag:
        raise ValueError(f"tag must be text without {TAG_OPEN} and {TAG_CLOSE}; got {tag!r}")
    return f"{TAG_OPEN}{tag}{TAG_CLOSE}"


def find_tags(text: str) -> list[str]:
    """All tag symbols in a text, brackets included, in order and as often as they stand there."""
    return _SYMBOL.findall(text) if TAG_OPEN in text else []


def without_tags(text: str) -> str:
    """The text with one blank in the place of each tag."""
    return _SYMBOL.sub(" ", text)


def cut_at_tags(text: str) -> Iterator[tuple[str, bool]]:
    """A text cut around its tags, in order; true where a piece is a tag."""
    place = 0
    for tag in find_tags(text):
        start = text.index(tag, place)
        if start > place:
            yield text[place:start], False
        yield tag, True
        place = start + len(tag)
    if place < len(text):
        yield text[place:], False
