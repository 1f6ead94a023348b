"""The processes that search beside the server: who gets the next pack, and what becomes of it.

All of it happens in the thread of the event loop, which so waits for no other interpreter. What has
come in one round of the loop is taken together; there is no timer.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import time
import weakref
from collections.abc import Callable, Coroutine
from typing import Any

from transduce.kernels.running.threads import thread_count
from transduce.light.recording import ModelNote
from transduce.server.queue.answers import answers_of, settle, shared_out
from transduce.server.queue.search_process import SearchProcess
from transduce.server.queue.tickets import Ticket
from transduce.server.queue.waiting_line import Pack, WaitingLine
from transduce.workflow.predicting.output import Output

__all__ = ["SearchDesk", "process_count"]

_LOG = logging.getLogger("transduce.server")
_MOST = 4  # processes that nobody asked for: one event loop does not feed many more
_AHEAD = 2  # packs that a process has: the next is there when it has answered one
_DEATHS = 3  # of processes, after which no others are started

Seen = Callable[[Pack, float], None]


class SearchDesk:
    """So many processes, which answer what of a line is ``apart``."""

    def __init__(self, line: WaitingLine, count: int, seen: Seen) -> None:
        """``seen`` is told of each pack and the seconds that it took."""
        self._line, self._count, self._seen = line, count, seen
        self._processes: list[SearchProcess] = []
        self._note: ModelNote | None = None  # of the model that each of them begins with
        self._refused: weakref.WeakSet[ModelNote] = weakref.WeakSet()  # by processes
        self._deaths = 0
        self._due = self._ending = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._answered = asyncio.Event()

    def takes(self, ticket: Ticket) -> bool:
        """Whether a ticket waits for one of the processes; False once there are none."""
        if ticket.apart is None or not self._processes:
            return False
        return ticket.apart.note not in self._refused

    async def begin(self, note: ModelNote | None) -> None:
        """Start all, which have the model of the ``note`` then; none where there is no note."""
        self._note = note
        if note is not None:
            await asyncio.gather(*(self._start(note) for _ in range(self._count)))

    async def finish(self) -> None:
        """Wait until all that was taken is answered, and end them; the line is closed."""
        self._ending = True
        while self._busy():
            self._answered.clear()
            await self._answered.wait()
        processes, self._processes = self._processes, []
        await asyncio.gather(*(process.close() for process in processes))

    def wake(self) -> None:
        """Something was added to the line, in this round of the loop."""
        if self._processes and not self._due:
            self._due = True
            asyncio.get_running_loop().call_soon(self._give_out)

    def _busy(self) -> bool:
        asked = any(process.packs for process in self._processes)
        return asked or bool(self._tasks) or self._line.has(self.takes)

    def _give_out(self) -> None:
        """Packs for those that have none, then the next ones: nobody waits for the loop to look."""
        self._due = False
        for ahead in range(_AHEAD):
            free = [process for process in self._processes if process.packs <= ahead]
            for place, process in enumerate(free):
                pack = self._line.next(self.takes, share=len(free) - place)
                if pack is None:
                    return
                self._ask(process, pack)

    def _ask(self, process: SearchProcess, pack: Pack) -> None:
        search = pack.shares[0].ticket.apart
        if search is None:
            raise TypeError("ticket must be one that processes answer")
        texts = [str(source) for share in pack.shares for source in share.sources]

        def answered(outputs: list[list[Output]] | None, seconds: float) -> None:
            if outputs is None:  # it has died, or cannot: who searches here says why
                self._keep(self._answer_here(pack))
                return
            self._line.done(pack, seconds)
            self._give_out()
            self._seen(pack, seconds)
            settle(pack.shares, shared_out(pack.shares, outputs))
            self._answered.set()

        process.ask(search, texts, answered)

    async def _answer_here(self, pack: Pack) -> None:
        begin = time.perf_counter()
        answers = await asyncio.to_thread(answers_of, pack.shares)
        self._line.done(pack, time.perf_counter() - begin)
        settle(pack.shares, answers)

    async def _start(self, note: ModelNote) -> None:
        process = SearchProcess(max(1, thread_count() // self._count), self._ended, self._refuse)
        await process.connect()
        self._processes.append(process)
        self.wake()
        await process.load(note)

    def _ended(self, process: SearchProcess) -> None:
        """One has gone: another takes its place, but for what kills each that comes."""
        if self._ending or process not in self._processes:
            return
        self._processes.remove(process)
        self._deaths += 1
        _LOG.error("a process that searches has ended; %d are left", len(self._processes))
        self._keep(process.close())
        if self._note is not None and self._deaths < _DEATHS:
            self._keep(self._start(self._note))
        self._line.look_again()

    def _refuse(self, note: ModelNote) -> None:
        _LOG.info("%s is searched in the server itself", note.folder.name)
        self._refused.add(note)
        self._line.look_again()

    def _keep(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._forget)

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._answered.set()


def process_count(given: int | None) -> int:
    """Processes that search, beside the server's own; as many as threads where nobody says."""
    if sys.platform == "win32":  # whose loops read no pairs of sockets
        return 0
    if given is not None:
        return given
    threads = thread_count()
    return min(threads, _MOST) if threads > 1 else 0
