"""A server from its first line to its last: it binds, answers, and ends when it is told to."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import uvicorn

from transduce.errors import ConfigError
from transduce.server.application import application, application_routes
from transduce.server.connections import guarded_protocol
from transduce.server.early_refusals import EarlyRefusals
from transduce.server.exchange.replies import error_reply, plain_form
from transduce.server.limits.request_errors import RequestError
from transduce.server.limits.serve_config import ServeConfig
from transduce.server.service import Service
from transduce.server.shelf.model_shelf import ModelShelf

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["Running", "bound_socket"]

_BACKLOG = 1024
# Seconds after which a thread must hand the interpreter over: the engine comes back from its
# kernels a few times a pack, and would wait for whatever the loop is doing: other requests.
_SWITCH = 3e-4
# Seconds that a connection is kept for another request: longer than clients and proxies keep theirs
# (5 to 60), as one that the server closes may lose the request that is on its way.
_KEPT = 75
_YOUNG = 10_000  # objects before a look for cycles: most of a request's have gone by then
_RENEWALS = 1.0  # seconds between two looks at the folders of models


def bound_socket(host: str, port: int) -> socket.socket:
    """A socket that listens. Raises ConfigError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol must be named: only then asyncio sends small packets at once (TCP_NODELAY), and
    # an answer in two of them does not wait 40 ms for the client's acknowledgement.
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
        bound.listen(_BACKLOG)
    except OSError as error:
        bound.close()
        reason = error.strerror or str(error)
        raise ConfigError(
            f"--host and --port must be an address that is free; got {host}:{port} ({reason})"
        ) from None
    bound.setblocking(False)
    return bound


def _new_loop() -> asyncio.AbstractEventLoop:
    """uvloop's, which sends an answer in one piece, where that is installed."""
    try:
        import uvloop
    except ModuleNotFoundError:  # there is none for Windows
        return asyncio.new_event_loop()
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop


class _Server(uvicorn.Server):
    """uvicorn's, whose process ends with 0 after a signal and not by it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Set ``should_exit`` at the first, ``force_exit`` at the second."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        try:
            yield
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)

    def stop(self) -> None:
        """Take nothing more, answer what was taken; asked twice, do not wait."""
        self.force_exit = self.should_exit
        self.should_exit = True


class Running:
    """One server. ``run`` ends after ``stop``, or a signal where it runs in the main thread."""

    def __init__(self, shelf: ModelShelf, config: ServeConfig, bound: socket.socket) -> None:
        self.service = Service(shelf, config)
        self._config, self._socket = config, bound
        self._server: _Server | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def run(self, begun: Callable[[], None]) -> None:
        """Answer requests; ``begun`` is called when the first could come. Raises TransduceError."""
        before = sys.getswitchinterval()
        sys.setswitchinterval(_SWITCH)
        try:
            with asyncio.Runner(loop_factory=_new_loop) as runner:
                runner.run(self._run(begun))
        finally:
            sys.setswitchinterval(before)

    def stop(self) -> None:
        """From any thread: take nothing more, answer what was taken."""
        if self._loop is not None and self._server is not None:
            self._loop.call_soon_threadsafe(self._server.stop)

    async def _run(self, begun: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        await self.service.begin()
        config, routes = self._config, application_routes(self.service)
        # A page of another host may read an answer only if the application says so.
        refuse = EarlyRefusals(self.service, [] if config.origins else routes)
        self._server = _Server(
            uvicorn.Config(
                self._within_bounds(application(routes, config.origins)),
                http=guarded_protocol(config.header_seconds, config.connections, refuse),
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_keep_alive=_KEPT,
                timeout_graceful_shutdown=int(config.seconds) + 5,
            )
        )
        renewing = asyncio.create_task(self._renew()) if config.reload else None
        gc.collect()
        gc.freeze()  # what is loaded stays: no look at all of it while somebody waits
        gc.set_threshold(_YOUNG)
        begun()
        try:
            await self._server.serve(sockets=[self._socket])
        finally:
            if renewing is not None:
                renewing.cancel()
            await self.service.finish()

    def _within_bounds(self, app: ASGIApp) -> ASGIApp:
        """The application; where too many connections are open a refusal that says when to come."""
        refusal = RequestError("connections must be fewer; got too many", 503, 1)

        async def bounded(scope: Scope, receive: Receive, send: Send) -> None:
            server = self._server
            if server is None or len(server.server_state.connections) <= self._config.connections:
                await app(scope, receive, send)
                return
            reply = error_reply(refusal, plain_form)
            reply.headers["connection"] = "close"
            await reply(scope, receive, send)

        return bounded

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(_RENEWALS)
            await self.service.shelf.renew()
