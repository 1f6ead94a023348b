"""A process that searches, as the event loop sees it: packs go out, answers come back in order."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
import weakref
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from transduce.light.recording import ModelNote
from transduce.server.queue.search_worker import output_of
from transduce.workflow.predicting.output import Output

__all__ = ["Answered", "ApartSearch", "SearchProcess"]

_ROOT = Path(__file__).parents[3]  # where the package lies: the same sources search
_PATIENCE = 20.0  # seconds it is given to end

# The outputs of each source of a pack, None where there are none; and the seconds that it took.
Answered = Callable[[list[list[Output]] | None, float], None]
# What it replies; None: it has gone.
Told = Callable[[Mapping[str, Any] | None], None]


@dataclass(frozen=True, eq=False)
class ApartSearch:
    """What a process needs to know of a model and of a search.

    ``search`` are the options; ``bare``: only texts and errors are wanted.
    """

    note: ModelNote
    search: Mapping[str, Any]
    bare: bool = False


class SearchProcess(asyncio.Protocol):
    """One that was started; used in the thread of the event loop."""

    def __init__(
        self,
        threads: int,
        ended: Callable[[SearchProcess], None],
        refused: Callable[[ModelNote], None],
    ) -> None:
        """``threads`` that it searches with; ``ended`` is called when it has gone, ``refused`` with
        the note of a model that it cannot load.
        """
        self._ended, self._refused = ended, refused
        self._socket, theirs = socket.socketpair()
        paths = [str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        own = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "transduce.server.queue.search_worker"],
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), **own},
            )
        self._transport: asyncio.WriteTransport | None = None
        self._waiting: deque[Told] = deque()
        self._got: list[bytes] = []
        self._last = 0.0  # when it had answered a pack
        self._count = 0
        self._held: dict[int, weakref.ref[ModelNote]] = {}  # the models that it has, by number
        self._numbers: weakref.WeakKeyDictionary[ModelNote, int] = weakref.WeakKeyDictionary()
        self._loaded = asyncio.Event()  # the first, or there is none
        self.packs = 0  # that it has not answered yet

    async def connect(self) -> None:
        """Let the loop read what it says."""
        loop = asyncio.get_running_loop()
        await loop.create_unix_connection(lambda: self, sock=self._socket)

    async def load(self, note: ModelNote) -> None:
        """Return when it has the model, or cannot have it."""
        self._number(note)
        await self._loaded.wait()

    def ask(self, search: ApartSearch, sources: Sequence[str], answered: Answered) -> None:
        """A pack; ``answered`` is called once, also where it has gone."""
        sent = time.perf_counter()
        self.packs += 1

        def told(reply: Mapping[str, Any] | None) -> None:
            self.packs -= 1
            now = time.perf_counter()
            seconds, self._last = now - max(sent, self._last), now
            found = None if reply is None else reply.get("outputs")
            outputs = None
            if found is not None and len(found) == len(sources):
                outputs = [[output_of(values) for values in own] for own in found]
            answered(outputs, seconds)

        number = self._number(search.note)
        asked = {"model": number, "search": search.search, "bare": search.bare}
        self._send({**asked, "sources": sources}, told)

    async def close(self) -> None:
        """End it; kill what does not end by itself."""
        if self._transport is not None:
            self._transport.close()
        try:
            await asyncio.to_thread(self._process.wait, _PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            await asyncio.to_thread(self._process.wait)

    def _number(self, note: ModelNote) -> int:
        """What it knows a model by; it is told of the model where it does not know it yet."""
        for number in [number for number, known in self._held.items() if known() is None]:
            del self._held[number]  # the server has put it away
            self._send({"model": number}, _nothing)
        if (number := self._numbers.get(note, 0)) == 0:
            self._count = number = self._count + 1
            self._numbers[note], self._held[number] = number, weakref.ref(note)
            own = {"folder": str(note.folder), "key": note.key.name, "record": note.record}
            self._send({"model": number, **own}, partial(self._load_told, weakref.ref(note)))
        return number

    def _load_told(self, known: weakref.ref[ModelNote], reply: Mapping[str, Any] | None) -> None:
        note = known()
        if note is not None and reply is not None and not reply["loaded"]:
            self._refused(note)
        self._loaded.set()

    def _send(self, asked: Mapping[str, Any], told: Told) -> None:
        if self._transport is None or self._transport.is_closing():
            told(None)
            return
        self._waiting.append(told)
        self._transport.write(json.dumps(asked, separators=(",", ":")).encode() + b"\n")

    def connection_made(self, transport: Any) -> None:
        """It can be asked."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """A piece of what it says: a line for each reply."""
        self._got.append(data)
        if b"\n" not in data:
            return
        *lines, rest = b"".join(self._got).split(b"\n")
        self._got = [rest] if rest else []
        for line in lines:
            self._waiting.popleft()(json.loads(line))

    def connection_lost(self, exc: Exception | None) -> None:
        """It has ended, or was told to."""
        waiting, self._waiting = self._waiting, deque()
        for told in waiting:
            told(None)
        self._ended(self)


def _nothing(reply: Mapping[str, Any] | None) -> None:
    """What it says to this does not matter."""
