"""Connections: those that nobody uses are closed, and what there is no room for is refused early.

A client that never finishes its headers holds no connection. One that waits for its next request is
kept for a while, unless others need its place.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

__all__ = ["Refuse", "guarded_protocol"]

_LONGEST_HEADERS = 64 << 10  # bytes
_LAST_LOOK = 0.05  # seconds

# Of the first bytes of a request: the whole answer where it is refused without a further look, and
# how many bytes of its body are still to come.
Refuse = Callable[[bytes], tuple[bytes, int] | None]


def guarded_protocol(
    header_seconds: float, connections: int, refuse: Refuse
) -> type[HttpToolsProtocol]:
    """Uvicorn's protocol, which waits this long for the headers of a request, and no longer.

    Nor does it keep more than 64 kB of headers that do not end. Beyond so many ``connections`` a
    new one takes the place of the one that has been idle for the longest time.
    """
    idle: dict[HttpToolsProtocol, None] = {}  # the longest first

    class GuardedProtocol(HttpToolsProtocol):
        _waiting: asyncio.TimerHandle | None = None
        _unfinished = 0  # bytes since the end of the last headers, where a request has begun
        _rest = 0  # bytes to come of a body that was refused

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._waiting = self.loop.call_later(header_seconds, self._give_up)
            if len(self.connections) > connections and idle:
                longest = next(iter(idle))
                del idle[longest]
                longest.transport.close()

        def data_received(self, data: bytes) -> None:
            idle.pop(self, None)
            if self._rest:
                passed = min(self._rest, len(data))
                self._rest -= passed
                if passed == len(data):
                    return
                data = data[passed:]
            if self._between_requests() and (refused := refuse(data)) is not None:
                self._refuse(*refused)
                return
            before = self.cycle
            self._unfinished += len(data)
            super().data_received(data)
            if self.cycle is not before:
                self._unfinished = 0
                self._headers_came()
            elif self.cycle is None or self.cycle.response_complete:
                # Some bytes of another request, after which uvicorn no longer counts the time.
                if self._waiting is None:
                    self._waiting = self.loop.call_later(header_seconds, self._give_up)
                if self._unfinished > _LONGEST_HEADERS and not self.transport.is_closing():
                    self.send_400_response("Headers are too long.")
            else:
                self._unfinished = 0  # of the body

        def _between_requests(self) -> bool:
            """Whether what comes now is the begin of a request for which nobody waits."""
            last = self.cycle
            return (
                # A body that was not read to its end may hold what looks like a request.
                (last is None or (last.response_complete and not last.more_body))
                and not self._unfinished
                and not self.flow.write_paused
                and not self.transport.is_closing()
                and len(self.connections) <= connections
            )

        def _refuse(self, answer: bytes, rest: int) -> None:
            self._rest = rest
            self._headers_came()
            self.transport.write(answer)
            self.on_response_complete()

        def _headers_came(self) -> None:
            if self._waiting is not None:
                self._waiting.cancel()
                self._waiting = None

        def on_response_complete(self) -> None:
            super().on_response_complete()
            if self.timeout_keep_alive_task is not None:
                idle[self] = None

        def timeout_keep_alive_handler(self) -> None:
            # Timers run before sockets are read: after a busy moment a request may be there.
            close = super().timeout_keep_alive_handler
            self.timeout_keep_alive_task = self.loop.call_later(_LAST_LOOK, close)

        def connection_lost(self, exc: Exception | None) -> None:
            idle.pop(self, None)
            self._headers_came()
            super().connection_lost(exc)

        def _give_up(self) -> None:
            self._waiting = None
            if self.cycle is None or self.cycle.response_complete:
                self.transport.close()

    return GuardedProtocol
