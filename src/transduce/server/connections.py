"""Connections that nobody uses are closed: a client that never finishes its headers holds none."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

__all__ = ["guarded_protocol"]

_LONGEST_HEADERS = 64 << 10  # bytes


def guarded_protocol(header_seconds: float) -> type[HttpToolsProtocol]:
    """Uvicorn's protocol, which waits this long for the headers of a request, and no longer.

    Nor does it keep more than 64 kB of headers that do not end.
    """

    class GuardedProtocol(HttpToolsProtocol):
        _waiting: asyncio.TimerHandle | None = None
        _unfinished = 0  # bytes since the end of the last headers, where a request has begun

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._waiting = self.loop.call_later(header_seconds, self._give_up)

        def data_received(self, data: bytes) -> None:
            before = self.cycle
            self._unfinished += len(data)
            super().data_received(data)
            if self.cycle is not before:
                self._unfinished = 0
                if self._waiting is not None:
                    self._waiting.cancel()
                    self._waiting = None
            elif self.cycle is None or self.cycle.response_complete:
                # Some bytes of another request, after which uvicorn no longer counts the time.
                if self._waiting is None:
                    self._waiting = self.loop.call_later(header_seconds, self._give_up)
                if self._unfinished > _LONGEST_HEADERS and not self.transport.is_closing():
                    self.send_400_response("Headers are too long.")
            else:
                self._unfinished = 0  # of the body

        def connection_lost(self, exc: Exception | None) -> None:
            if self._waiting is not None:
                self._waiting.cancel()
            super().connection_lost(exc)

        def _give_up(self) -> None:
            self._waiting = None
            if self.cycle is None or self.cycle.response_complete:
                self.transport.close()

    return GuardedProtocol
