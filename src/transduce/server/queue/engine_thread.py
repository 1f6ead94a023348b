"""The one thread that searches: it takes packs, and gives answers back to the event loop."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Sequence

from transduce.errors import TransduceError
from transduce.server.limits.request_errors import RequestError
from transduce.server.queue.waiting_line import Pack, PackShare, WaitingLine
from transduce.workflow.predicting.output import Output

__all__ = ["EngineThread"]

_ROUNDS = 1  # more do not make packs larger, and the last answers later
_TURN = 0.02  # seconds that the engine waits for the loop at most

Seen = Callable[[Pack, float], None]


class EngineThread:
    """Runs until its line is closed and empty."""

    def __init__(
        self, line: WaitingLine, loop: asyncio.AbstractEventLoop, seen: Seen | None = None
    ) -> None:
        """``seen`` is told of each pack and the seconds that it took, in this thread."""
        self._line, self._loop, self._seen = line, loop, seen
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
        while (pack := self._line.take()) is not None:
            begin = time.perf_counter()
            answers = self._answers(pack.shares)
            seconds = time.perf_counter() - begin
            self._line.done(pack, seconds)
            if self._seen is not None:
                self._seen(pack, seconds)
            self._turn.clear()
            self._loop.call_soon_threadsafe(self._settle, pack.shares, answers)
            # What has arrived meanwhile waits in sockets: the loop gets one turn to read it all.
            self._turn.wait(_TURN)

    def _settle(
        self, shares: Sequence[PackShare], answers: Sequence[Sequence[list[Output]] | Exception]
    ) -> None:
        _settle(shares, answers)
        self._later(_ROUNDS)

    def _later(self, rounds: int) -> None:
        """Let the loop go round so often: to wake who is answered, to read, to take in."""
        if rounds:
            self._loop.call_soon(self._later, rounds - 1)
        else:
            self._turn.set()

    def _answers(self, shares: Sequence[PackShare]) -> Sequence[Sequence[list[Output]] | Exception]:
        """For each share its outputs, or what went wrong: with one, not with those beside it."""
        first = shares[0].ticket
        sources = [source for share in shares for source in share.sources]
        try:
            outputs = first.model.answer(first.asked, sources)
        except Exception as error:
            if len(shares) == 1:
                return [_said(error)]
            return [self._answers([share])[0] for share in shares]
        found, place = [], 0
        for share in shares:
            found.append(outputs[place : place + share.count])
            place += share.count
        return found


def _said(error: Exception) -> Exception:
    if isinstance(error, TransduceError):
        return error
    # Not its message: what a library says may quote the text.
    frames, place = error.__traceback__, ""
    while frames is not None:
        place, frames = f"{frames.tb_frame.f_code.co_qualname}:{frames.tb_lineno}", frames.tb_next
    logging.getLogger("transduce.server").error("%s in %s", type(error).__name__, place)
    return RequestError("answer must be possible; got an error of the server", 500)


def _settle(
    shares: Sequence[PackShare], answers: Sequence[Sequence[list[Output]] | Exception]
) -> None:
    for share, answer in zip(shares, answers, strict=True):
        if isinstance(answer, Exception):
            share.ticket.fail(answer)
        else:
            share.ticket.settle(share.first, answer)
