"""Connections that nobody uses are closed: a client that never finishes its headers holds none."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

__all__ = ["guarded_protocol"]


def guarded_protocol(header_seconds: float) -> type[H11Protocol]:
    """Uvicorn's protocol, which waits this long for the headers of a request, and no longer."""

    class GuardedProtocol(H11Protocol):
        _waiting: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._waiting = self.loop.call_later(header_seconds, self._give_up)

        def data_received(self, data: bytes) -> None:
            before = self.cycle
            super().data_received(data)
            if self._waiting is not None and self.cycle is not before:
                self._waiting.cancel()
                self._waiting = None
            elif self._waiting is None and (self.cycle is None or self.cycle.response_complete):
                # Some bytes of another request, after which uvicorn no longer counts the time.
                self._waiting = self.loop.call_later(header_seconds, self._give_up)

        def connection_lost(self, exc: Exception | None) -> None:
            if self._waiting is not None:
                self._waiting.cancel()
            super().connection_lost(exc)

        def _give_up(self) -> None:
            self._waiting = None
            if self.cycle is None or self.cycle.response_complete:
                self.transport.close()

    return GuardedProtocol
