"""Sources as they come: of files when they are asked for, of a pipe when they are there."""

from __future__ import annotations

import os
import queue
import stat
import sys
import threading
from collections import deque
from collections.abc import Iterator, Sequence

from transduce.errors import DataError

__all__ = ["NotedSources", "from_a_pipe", "from_a_terminal"]

Asked = str | DataError

_PATIENCE = 0.02  # seconds in which what a program writes at once arrives
_AHEAD = 16  # sources that wait; a line may have megabytes


def from_a_terminal(sources: Sequence[str]) -> bool:
    """Whether a person types them."""
    return "-" in sources and sys.stdin.isatty()


def from_a_pipe(sources: Sequence[str]) -> bool:
    """Whether another program writes them, which may wait for each answer."""
    if "-" not in sources:
        return False
    try:
        mode = os.fstat(sys.stdin.fileno()).st_mode
    except (OSError, ValueError):  # closed, or no file of the system
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


class NotedSources:
    """Sources, the name of each noted as it is read (ahead of its answer).

    ``failure`` is why there are no more, where that is no end. With ``waiting`` they are read in
    another thread, so that what has arrived can be answered while nothing more comes.
    """

    def __init__(self, sources: Iterator[Asked], *, waiting: bool) -> None:
        self.names: deque[str | None] = deque()
        self.failure: DataError | None = None
        self._sources = sources
        self._arrived: queue.Queue[Asked | BaseException | None] | None = None
        self._held: list[Asked | BaseException | None] = []
        if waiting:
            self._arrived = queue.Queue(_AHEAD)
            # A daemon: at the end of the program it may still wait for a line.
            threading.Thread(target=self._read, args=(self._arrived,), daemon=True).start()

    def __iter__(self) -> Iterator[Asked]:
        return self

    def __next__(self) -> Asked:
        try:
            source = self._next()
        except DataError as error:
            self.failure = error
            raise StopIteration from None
        self.names.append(source if isinstance(source, str) else None)
        return source

    def pausing(self) -> bool:
        """Whether no source is there yet."""
        if self._arrived is None or self._held:
            return False
        try:
            self._held.append(self._arrived.get(timeout=_PATIENCE))
        except queue.Empty:
            return True
        return False

    def _next(self) -> Asked:
        if self._arrived is None:
            return next(self._sources)
        entry = self._held.pop() if self._held else self._arrived.get()
        if isinstance(entry, str | DataError):
            return entry
        self._held.append(entry)  # the same again for who asks again
        if entry is None:
            raise StopIteration
        raise entry.reason if isinstance(entry, _BrokenOffError) else entry

    def _read(self, arrived: queue.Queue[Asked | BaseException | None]) -> None:
        try:
            for source in self._sources:
                arrived.put(source)
            arrived.put(None)
        except DataError as error:
            arrived.put(_BrokenOffError(error))
        except BaseException as error:  # raised again where the sources are used
            arrived.put(error)


class _BrokenOffError(Exception):
    """That nothing more can be read, and why; a DataError itself stands for one bad source."""

    def __init__(self, reason: DataError) -> None:
        super().__init__(str(reason))
        self.reason = reason
