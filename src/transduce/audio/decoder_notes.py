"""What the decoder of MP3 writes to standard error by itself, caught.

libmpg123 speaks of damage in words that name no file, and libsndfile has no way to tell it not to.
While it runs, file descriptor 2 is another file; what others wrote there meanwhile is passed on.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

__all__ = ["DecoderNotes"]

_STDERR = 2
_ITS_OWN = re.compile(rb"(?:Note|Warning): |\[src/libmpg123/|\s*$")
_SKIPPED = re.compile(rb"Skipped (\d+) bytes")
_TOLD: set[str | Path] = set()
_MOST_TOLD = 10_000
_ONE_AT_A_TIME = threading.Lock()  # there is one descriptor for all


class DecoderNotes:
    """Of one recording: how many bytes were no frame, how often one could not be decoded.

    ``head`` are its first bytes; of what can be no MP3 nothing is caught.
    """

    def __init__(self, head: bytes) -> None:
        self._is_mp3 = head.startswith((b"\xff", b"ID3"))
        self.skipped = 0
        self.failed = 0

    @contextlib.contextmanager
    def caught(self) -> Iterator[None]:
        """Around what calls the decoder. Where standard error is closed nothing changes."""
        if not self._is_mp3:
            yield
            return
        with _ONE_AT_A_TIME, contextlib.ExitStack() as opened:
            try:
                os.fstat(_STDERR)  # OSError where it is closed: a new file would get its number
                place = opened.enter_context(tempfile.TemporaryFile(buffering=0))
                before = os.dup(_STDERR)
            except OSError:
                yield
                return
            opened.callback(os.close, before)
            os.dup2(place.fileno(), _STDERR)
            try:
                yield
            finally:
                os.dup2(before, _STDERR)
                if place.tell():
                    place.seek(0)
                    self._read(place.read() or b"")

    def tell(self, name: str | Path) -> None:
        """Log what is wrong, once for each file; nothing where nothing is."""
        said = []
        if self.skipped:
            said.append(f"{self.skipped:,} bytes that are no frame were left out")
        if self.failed:
            said.append(f"errors while decoding: {self.failed:,}")
        if said and name not in _TOLD:
            if isinstance(name, Path) and len(_TOLD) < _MOST_TOLD:
                _TOLD.add(name)
            logging.getLogger("transduce").warning("%s: damaged MP3: %s", name, "; ".join(said))

    def _read(self, written: bytes) -> None:
        for line in written.splitlines(keepends=True):
            if not _ITS_OWN.match(line):
                with contextlib.suppress(OSError):
                    os.write(_STDERR, line)
                continue
            self.skipped += sum(map(int, _SKIPPED.findall(line)))
            self.failed += b"error: " in line
