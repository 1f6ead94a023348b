"""Texts in sentences, since models of translation have learned from sentences.

What stands between sentences (spaces, ends of lines) is kept as it is. Only punctuation is looked
at; where in doubt a text stays whole: two sentences in one do less harm than one cut into two.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["Piece", "pieces", "split_lines"]

# Before a full stop that ends no sentence, in languages that write so; in small letters.
_SHORT_WORDS = """
    mr mrs ms dr prof st sr sra srta jr vs etc e.g i.e no nos nr vol fig al inc ltd co corp z.b
    d.h u.a usw bzw ca hr fr bspw evtl ggf inkl str tel p pp ed eds art abs bd jan feb mar apr jun
    jul aug sep sept oct nov dec mme mlle m p.ex núm pág ud uds dott ing sig
"""
_SHORT = frozenset(_SHORT_WORDS.split())
# A full stop, or others, before a word or a quotation; in Chinese and Japanese before anything.
_END = re.compile(
    r"(?P<stop>[.!?…]+)[\"'”’»)\]]*(?=\s+[\w¿¡\"'“‘«(\[])"
    "|[\u3002\uff01\uff1f\uff61]+[\u300d\u300f\u201d\u2019\uff09]*"
)
_WORD_BEFORE = re.compile(r"[^\s\"'“‘«(\[]*$")


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a text: a sentence, or what stands between two."""

    text: str
    is_sentence: bool


def pieces(text: str, *, sentences: bool = True) -> list[Piece]:
    """The stretches of a text, which joined are the text again.

    Lines are always apart; sentences in a line only where asked for.
    """
    found = []
    for line in split_lines(text):
        bare = line.strip()
        if not bare:
            found.append(Piece(line, False))
            continue
        first = line.index(bare[0])
        if first:
            found.append(Piece(line[:first], False))
        found += _in_line(bare) if sentences else [Piece(bare, True)]
        if rest := line[first + len(bare) :]:
            found.append(Piece(rest, False))
    return found


def split_lines(text: str) -> list[str]:
    """Lines with their ends, which are ``\\n``, ``\\r\\n`` or ``\\r``."""
    return re.findall(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+", text)


def _in_line(line: str) -> Iterator[Piece]:
    begin = 0
    for match in _END.finditer(line):
        end = match.end()
        if end >= len(line) or not _ends(line, begin, match):
            continue
        yield Piece(line[begin:end], True)
        begin = end
        while begin < len(line) and line[begin].isspace():
            begin += 1
        if begin > end:
            yield Piece(line[end:begin], False)
    if begin < len(line):
        yield Piece(line[begin:], True)


def _ends(line: str, begin: int, match: re.Match[str]) -> bool:
    """Whether a mark ends a sentence: not behind an abbreviation, nor before a small letter."""
    stop = match["stop"]
    if stop is None:
        return True
    after = line[match.end() :].lstrip()[:1]
    if after.islower():
        return False
    if stop != ".":
        return True
    found = _WORD_BEFORE.search(line, begin, match.start())
    word = found[0].lower() if found else ""
    if word in _SHORT or (len(word) == 1 and word.isalpha()):
        return False
    return not (after.isdigit() and word.isdigit())
