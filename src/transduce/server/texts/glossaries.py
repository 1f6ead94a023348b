"""Glossaries: terms whose translation is given, which an output must then hold."""

from __future__ import annotations

import csv
import io
import re
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from transduce.server.limits.request_errors import RequestError

__all__ = ["Glossary", "GlossaryBook", "read_entries"]

_MOST, _MOST_ENTRIES, _LONGEST = (
    1000,
    5000,
    1024,
)  # glossaries, entries of one, characters of a term
_MOST_PHRASES = 10  # that one sentence is held to


@dataclass(frozen=True)
class Glossary:
    """Source terms and target terms of one client."""

    name: str
    source: str
    target: str
    entries: Mapping[str, str]
    holder: str = ""
    number: str = field(default_factory=lambda: str(uuid.uuid4()))
    created: float = field(default_factory=time.time)

    def phrases(self, sentence: str) -> tuple[str, ...]:
        """What the translation of a sentence must hold: of each term in it, whole words only."""
        found = [
            target
            for source, target in self.entries.items()
            if source in sentence and re.search(rf"(?<!\w){re.escape(source)}(?!\w)", sentence)
        ]
        return tuple(dict.fromkeys(found))[:_MOST_PHRASES]


class GlossaryBook:
    """All glossaries of a server, in memory; each is seen by the holder of its key alone."""

    def __init__(self) -> None:
        self._glossaries: dict[str, Glossary] = {}

    def add(self, glossary: Glossary) -> None:
        """Keep one. Raises RequestError where there are too many."""
        if len(self._glossaries) >= _MOST:
            raise RequestError(f"glossaries must be at most {_MOST:,}; got more", 413)
        self._glossaries[glossary.number] = glossary

    def get(self, number: str, holder: str) -> Glossary:
        """Raises RequestError (404)."""
        found = self._glossaries.get(number)
        if found is None or found.holder != holder:
            raise RequestError("glossary must be one that was made here; got another", 404)
        return found

    def all_of(self, holder: str) -> list[Glossary]:
        """The oldest first."""
        return [one for one in self._glossaries.values() if one.holder == holder]

    def remove(self, number: str, holder: str) -> None:
        """Raises RequestError (404)."""
        del self._glossaries[self.get(number, holder).number]


def read_entries(text: str, form: str) -> dict[str, str]:
    """Terms from lines of ``tsv`` or ``csv``. Raises RequestError."""
    if form not in ("tsv", "csv"):
        raise RequestError(f"entries_format must be tsv or csv; got {form[:20]!r}")
    try:
        rows: Sequence[Sequence[str]] = (
            list(csv.reader(io.StringIO(text), strict=True))
            if form == "csv"
            else [line.split("\t") for line in text.splitlines()]
        )
    except csv.Error:
        raise RequestError("entries must be valid csv; got another") from None
    entries: dict[str, str] = {}
    for row in rows:
        if not any(cell.strip() for cell in row):
            continue
        terms = [cell.strip() for cell in row[:2]]
        if len(terms) < 2 or not all(terms) or max(map(len, terms)) > _LONGEST:
            raise RequestError("entries must be lines of two terms; got another")
        entries[terms[0]] = terms[1]
    if not 0 < len(entries) <= _MOST_ENTRIES:
        raise RequestError(f"entries must be 1 to {_MOST_ENTRIES:,}; got {len(entries):,}")
    return entries
