"""HTML in stretches: words to translate between tags that stay as they are.

A text between two tags is translated by itself; what is in ``script``, ``style``, ``code``, ``pre``
and in elements with ``translate="no"`` or the class ``notranslate`` stays. Nothing is repaired:
joined, the stretches are the document again, byte for byte.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

from transduce.server.texts.sentence_cuts import Piece, pieces

__all__ = ["escaped", "markup_pieces"]

_MARKUP = re.compile(r"<!--.*?(?:-->|\Z)|<[!?/]?[a-zA-Z][^<>]*>|<![^<>]*>|<\?[^<>]*>", re.DOTALL)
_NAME = re.compile(r"</?\s*([a-zA-Z][a-zA-Z0-9:-]*)")
_KEPT = frozenset({"script", "style", "code", "pre", "textarea", "svg", "math", "kbd", "samp"})
_VOID = frozenset(
    {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track",
     "wbr"}
)  # fmt: skip
_NOT = re.compile(
    r"""\stranslate\s*=\s*["']?no["'\s>/]|\sclass\s*=\s*(?:"[^"]*\bnotranslate\b|"""
    r"""'[^']*\bnotranslate\b)""",
    re.IGNORECASE,
)


def markup_pieces(document: str) -> list[Piece]:
    """The stretches; those to translate have no entities in them (``&amp;`` is ``&``)."""
    return list(_pieces(document))


def _pieces(document: str) -> Iterator[Piece]:
    begin, kept, depth = 0, "", 0
    for match in _MARKUP.finditer(document):
        if match.start() > begin:
            yield from _words(document[begin : match.start()], keep=bool(kept))
        tag = match[0]
        yield Piece(tag, False)
        begin = match.end()
        found = _NAME.match(tag)
        name = found[1].lower() if found else ""
        if not kept:
            opens = name and not tag.startswith("</") and not tag.endswith("/>")
            if opens and name not in _VOID and (name in _KEPT or _NOT.search(tag)):
                kept, depth = name, 1
        elif name == kept and not tag.endswith("/>"):
            depth += -1 if tag.startswith("</") else 1
            if not depth:
                kept = ""
    if begin < len(document):
        yield from _words(document[begin:], keep=bool(kept))


def _words(text: str, *, keep: bool) -> Iterator[Piece]:
    if keep:
        yield Piece(text, False)
        return
    for piece in pieces(text):
        plain = html.unescape(piece.text)
        if piece.is_sentence and any(c.isalnum() for c in plain):
            yield Piece(plain, True)
        else:
            yield Piece(piece.text, False)


def escaped(text: str) -> str:
    """What a model wrote, as it may stand between tags."""
    return html.escape(text, quote=False)
