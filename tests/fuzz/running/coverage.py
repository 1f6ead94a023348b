"""Which lines of the package an input reaches: what says that an input is worth keeping."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import CodeType, FrameType
from typing import Any

from fuzz.running.judging import SOURCES

__all__ = ["Lines"]


class Lines:
    """Lines seen so far, as numbers; ``new`` are those since it was last asked."""

    def __init__(self) -> None:
        self.known: set[int] = set()
        self._found: set[tuple[CodeType, int]] = set()
        self._reported: set[tuple[CodeType, int]] = set()

    @contextmanager
    def traced(self) -> Iterator[None]:
        """Look at each line of ours that runs in the block; many times as slow."""
        found = self._found

        def line(frame: FrameType, event: str, _: Any) -> Any:
            if event == "line":
                found.add((frame.f_code, frame.f_lineno))
            return line

        def call(frame: FrameType, event: str, _: Any) -> Any:
            return line if frame.f_code.co_filename.startswith(SOURCES) else None

        sys.settrace(call)
        try:
            yield
        finally:
            sys.settrace(None)

    def new(self) -> list[int]:
        """Numbers of lines that were not known; they are now."""
        fresh = []
        for code, number in self._found - self._reported:
            name = hash((code.co_filename, number))
            if name not in self.known:
                fresh.append(name)
        self._reported |= self._found
        self.known.update(fresh)
        return fresh
