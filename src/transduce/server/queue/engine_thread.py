"""The one thread that searches: it takes packs, and gives answers back to the event loop."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence

from transduce.server.queue.answers import Answers, answers_of, settle
from transduce.server.queue.waiting_line import Mine, Pack, PackShare, WaitingLine, anything

__all__ = ["EngineThread"]

_ROUNDS = 1  # more do not make packs larger, and the last answers later
_TURN = 0.02  # seconds that the engine waits for the loop at most

Seen = Callable[[Pack, float], None]


class EngineThread:
    """Runs until its line is closed and empty."""

    def __init__(
        self,
        line: WaitingLine,
        loop: asyncio.AbstractEventLoop,
        seen: Seen | None = None,
        mine: Mine = anything,
    ) -> None:
        """``seen`` is told of each pack and the seconds that it took, in this thread; ``mine`` says
        which tickets it takes.
        """
        self._line, self._loop, self._seen, self._mine = line, loop, seen, mine
        self._turn = threading.Event()
        self._thread = threading.Thread(target=self._run, name="transduce-engine", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    async def finish(self) -> None:
        """Close the line and wait until all that was taken is answered."""
        self._line.close()
        await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        while (pack := self._line.take(self._mine)) is not None:
            begin = time.perf_counter()
            answers = answers_of(pack.shares)
            seconds = time.perf_counter() - begin
            self._line.done(pack, seconds)
            if self._seen is not None:
                self._seen(pack, seconds)
            self._turn.clear()
            self._loop.call_soon_threadsafe(self._settle, pack.shares, answers)
            # What has arrived meanwhile waits in sockets: the loop gets one turn to read it all.
            self._turn.wait(_TURN)

    def _settle(self, shares: Sequence[PackShare], answers: Answers) -> None:
        settle(shares, answers)
        self._later(_ROUNDS)

    def _later(self, rounds: int) -> None:
        """Let the loop go round so often: to wake who is answered, to read, to take in."""
        if rounds:
            self._loop.call_soon(self._later, rounds - 1)
        else:
            self._turn.set()
