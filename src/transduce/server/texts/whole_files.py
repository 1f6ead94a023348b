"""Whole files to translate: plain text, subtitles, HTML; and those that are done."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from transduce.server.limits.request_errors import RequestError
from transduce.server.texts.markup import markup_pieces
from transduce.server.texts.sentence_cuts import Piece, pieces, split_lines

__all__ = ["FILES", "FileKind", "FinishedFiles"]

_MOST_BYTES, _SECONDS = 64 << 20, 1800.0
_TIMES = re.compile(r"\s*\d+:\d\d:\d\d[,.]\d+\s*-->")
_NUMBER = re.compile(r"\s*\d+\s*$")
_ODD = re.compile(r"[^A-Za-z0-9._-]")


@dataclass(frozen=True)
class FileKind:
    """How a file is cut into what is translated and what stays."""

    cut: Callable[[str], Sequence[Piece]]
    is_html: bool = False


def _subtitles(text: str) -> list[Piece]:
    """Numbers, times and empty lines stay; each line of words is translated by itself."""
    found: list[Piece] = []
    lines = split_lines(text)
    for place, line in enumerate(lines):
        after = lines[place + 1] if place + 1 < len(lines) else ""
        is_number = _NUMBER.match(line) is not None and _TIMES.match(after) is not None
        if is_number or _TIMES.match(line):
            found.append(Piece(line, False))
        else:
            found += pieces(line, sentences=False)
    return found


FILES = {
    ".txt": FileKind(pieces),
    ".srt": FileKind(_subtitles),
    ".html": FileKind(markup_pieces, is_html=True),
    ".htm": FileKind(markup_pieces, is_html=True),
}


class FinishedFiles:
    """Translated files until they are fetched, in memory: none is ever on a disk."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._files: dict[str, tuple[float, bytes]] = {}

    def keep(self, name: str, content: bytes) -> str:
        """Under a name that nobody guesses. Raises RequestError (503) where there is no room."""
        now = self._clock()
        self._files = {n: f for n, f in self._files.items() if now - f[0] < _SECONDS}
        if sum(len(f[1]) for f in self._files.values()) + len(content) > _MOST_BYTES:
            raise RequestError("files that wait to be fetched must be fewer; got too many", 503, 60)
        kept = f"{uuid.uuid4()}.{_ODD.sub('_', name)[-100:]}"
        self._files[kept] = now, content
        return kept

    def get(self, name: str) -> bytes | None:
        """None where there is no such file any more."""
        found = self._files.get(name)
        return None if found is None or self._clock() - found[0] >= _SECONDS else found[1]
