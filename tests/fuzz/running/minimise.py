"""A failing input made small: files, values, lines and bytes go, as long as it fails alike."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

from fuzz.harness import Files, Harness
from fuzz.running.judging import Failure
from fuzz.running.worker import run_one

__all__ = ["minimised"]

_PLAIN = (None, 0, "", [], {})


def minimised(harness: Harness, files: Files, failure: Failure, *, seconds: float = 60.0) -> Files:
    """The smallest input that was found to fail in the same place, in about so many seconds."""
    shrinking = _Shrinking(harness, files, failure.signature, time.monotonic() + seconds)
    shrinking.run()
    return shrinking.files


class _Shrinking:
    def __init__(self, harness: Harness, files: Files, wanted: str, end: float) -> None:
        self.harness, self.files, self.wanted, self.end = harness, dict(files), wanted, end

    def run(self) -> None:
        before = -1
        while before != (size := sum(map(len, self.files.values()))) and self._in_time():
            before = size
            for name in sorted(self.files, key=lambda name: -len(self.files[name])):
                self._without(name)
            for name in list(self.files):
                if not self._values(name):
                    self._pieces(name, b"\n")
                    self._pieces(name, b"")

    def _in_time(self) -> bool:
        return time.monotonic() < self.end

    def _try(self, files: Files) -> bool:
        """Take these files where they fail alike."""
        if not self._in_time():
            return False
        failure = run_one(self.harness, files)
        if failure is None or failure.signature != self.wanted:
            return False
        self.files = files
        return True

    def _without(self, name: str) -> None:
        if len(self.files) > 1:
            self._try({k: v for k, v in self.files.items() if k != name})

    def _pieces(self, name: str, between: bytes) -> None:
        """Take runs of lines (or, with nothing between, of bytes) out, long ones first."""
        data = self.files[name]
        rows = data.split(between) if between else [bytes([byte]) for byte in data]
        size = len(rows) // 2 or len(rows)
        while size:
            place = 0
            while place < len(rows):
                if not self._in_time():
                    return
                kept = rows[:place] + rows[place + size :]
                if self._try({**self.files, name: between.join(kept)}):
                    rows = kept
                else:
                    place += size
            size //= 2

    def _values(self, name: str) -> bool:
        """Whether a file was JSON; if so values go out of it."""
        try:
            value = json.loads(self.files[name])
        except (ValueError, RecursionError):
            return False
        if not isinstance(value, dict | list):
            return False

        def attempt(changed: Any) -> bool:
            text = json.dumps(changed).encode("utf-8", "surrogatepass")
            return self._try({**self.files, name: text})

        if not attempt(value):
            return False
        self._shrink(value, attempt)
        return True

    def _shrink(self, root: Any, attempt: Callable[[Any], bool]) -> None:
        """Each place gone, else as plain a value as fails alike."""
        for holder, key in _outermost_first(root):
            own = holder[key]
            del holder[key]
            if attempt(root):
                continue
            if isinstance(holder, dict):
                holder[key] = own
            else:
                holder.insert(key, own)
            for plain in _PLAIN:
                holder[key] = plain
                if repr(plain) == repr(own) or attempt(root):
                    break
            else:
                holder[key] = own
            if not self._in_time():
                return


def _outermost_first(root: Any) -> Iterator[tuple[Any, Any]]:
    waiting = [root]
    while waiting:
        holder = waiting.pop(0)
        keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))[::-1]
        yield from ((holder, key) for key in keys)
        waiting += [
            inner
            for inner in (holder.values() if isinstance(holder, dict) else holder)
            if isinstance(inner, dict | list)
        ]
