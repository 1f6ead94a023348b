"""Which column of a table is the source, which the target, and which holds tags."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from transduce.reading.column_names import named_columns

__all__ = ["Meant", "columns_meant"]

_SEPARATORS = (";", "|", ",")
_TAG = re.compile(r"[A-Z0-9][\w.+\-/()]*")
_MOST_TAGS = 500  # different ones
_REPEATED = 10  # rows in which each of a few values must stand, on average, to be a tag


@dataclass(frozen=True)
class Meant:
    """``source`` and ``target`` as in the section ``data``; ``roles`` says what each column is."""

    source: Any
    target: int
    sources: tuple[str, ...]  # the texts of the source's column
    roles: dict[int, str] = field(default_factory=dict)

    @property
    def others(self) -> bool:
        """Whether there are columns besides a source and a target."""
        return len(self.roles) > 2


def columns_meant(rows: Sequence[Sequence[str]], names: Sequence[str] | None) -> Meant:
    """``rows`` are all as wide as the first, two columns at least; ``names`` is the header."""
    width = len(rows[0]) if rows else len(names or ())
    columns = [[row[number] for row in rows] for number in range(width)]
    roles: dict[int, str] = {}
    tags: dict[int, str | None] = {}
    if width > 2:
        for number, values in enumerate(columns):
            if (separator := _tag_separator(values)) is not None:
                tags[number], roles[number] = separator, f"tags with {separator} between them"
    texts = [number for number in range(width) if number not in tags]
    left_out = _useless(columns, texts) if len(texts) > 2 else {}
    roles |= left_out
    texts = [number for number in texts if number not in left_out]
    if len(texts) > 2:
        for number in texts[:]:
            if len(texts) > 2 and _is_single_tag(columns[number]):
                tags[number], roles[number] = None, "one tag on each line"
                texts.remove(number)
    source, target = _source_and_target(texts, names)
    roles |= {number: "left out" for number in texts if number not in (source, target)}
    roles |= {source: "the source", target: "the target"}
    sources = tuple(columns[source]) if columns else ()
    if not tags:
        return Meant(source, target, sources, roles)
    listed: list[Any] = [source]
    for number, separator in tags.items():
        listed.append({"tags": number} | ({} if separator is None else {"separator": separator}))
    return Meant(listed, target, sources, roles)


def _source_and_target(texts: Sequence[int], names: Sequence[str] | None) -> tuple[int, int]:
    if names is not None:
        told = named_columns([names[number] for number in texts])
        if told is not None:
            return texts[told[0]], texts[told[1]]
    return (texts[0], texts[1]) if len(texts) >= 2 else (0, 1)


def _tag_separator(values: Sequence[str]) -> str | None:
    """The separator of a column of tags (``N;GEN;PL``); None where it is something else."""
    for separator in _SEPARATORS:
        pieces = [value.split(separator) for value in values]
        if sum(len(each) > 1 for each in pieces) * 2 < len(values):
            continue
        counts = Counter(piece.strip() for each in pieces for piece in each if piece.strip())
        if not counts or len(counts) > _MOST_TAGS:
            continue
        total = counts.total()
        named = sum(n for piece, n in counts.items() if _TAG.fullmatch(piece))
        if named >= 0.95 * total and total >= 3 * len(counts):
            return separator
    return None


def _useless(columns: Sequence[Sequence[str]], texts: Sequence[int]) -> dict[int, str]:
    """Columns that say nothing: numbers that count rows, one value all the way, long notes."""
    found: dict[int, str] = {}
    for number in texts:
        values = columns[number]
        if len(texts) - len(found) <= 2:
            break
        if len(set(values)) == 1:
            found[number] = "left out, because it is constant"
        elif len(set(values)) == len(values) and all(value.strip().isdecimal() for value in values):
            found[number] = "left out, because it numbers the lines"
        elif not any(value.strip() for value in values):
            found[number] = "left out, because it is empty"
        elif _is_attribution(values):
            found[number] = "left out, because it gives the origin of the others"
    return found


def _is_attribution(values: Sequence[str]) -> bool:
    noted = sum("CC-BY" in v or "CC BY" in v or "://" in v or "icense" in v for v in values)
    return noted * 2 > len(values)


def _is_single_tag(values: Sequence[str]) -> bool:
    """A language, a part of speech: a few short values without spaces, each on many lines."""
    different = set(values)
    return (
        1 < len(different) <= 50
        and len(values) >= _REPEATED * len(different)
        and all(
            value and len(value) <= 20 and not any(c.isspace() for c in value)
            for value in different
        )
    )
