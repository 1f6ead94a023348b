"""One address: a handler between what is asked and what is answered, whatever goes wrong in it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from transduce.errors import EngineError, TransduceError
from transduce.server.exchange.bodies import drop_body, read_body
from transduce.server.exchange.replies import ErrorForm, error_reply, plain_form
from transduce.server.limits.request_errors import ClientGoneError, RequestError
from transduce.server.service import Service
from transduce.server.shelf.loaded_model import LoadedModel
from transduce.server.shelf.media import Recorded

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

__all__ = ["Endpoint", "Exchange", "Handler", "route"]

_SPOKEN = 15  # characters that are said in a second
_GONE = 499  # nobody sees it but the log
_SCHEMES = ("bearer", "deepl-auth-key", "token")
_LOG = logging.getLogger("transduce.server")


class Exchange:
    """A request on its way to a reply, with the service that answers it."""

    def __init__(self, request: Request, service: Service, *, stays: bool = False) -> None:
        """``stays``: what is asked is wanted whether or not the client waits for it."""
        self._stays = stays
        self.request = request
        self.service = service
        self.holder = ""  # of a key

    def admit(self, given: str | None = None) -> None:
        """Let in who has a key, in a header or ``given`` elsewhere. Raises RequestError (401, 429).

        Called by every handler that answers, as soon as it knows of a key.
        """
        service = self.service
        if not service.ring.entries:
            return
        headers = self.request.headers
        kind, _, value = headers.get("authorization", "").strip().partition(" ")
        told = value.strip() if kind.lower() in _SCHEMES else headers.get("x-api-key")
        self.holder = service.ring.holder(given or told)
        service.quotas.count_request(self.holder)

    @property
    def adapter(self) -> str | None:
        """That of who has the key; None where they have none."""
        entry = self.service.ring.entries.get(self.holder)
        return None if entry is None else entry.adapter

    def count(self, characters: int) -> None:
        """Count what is asked for against the day's quota. Raises RequestError (429)."""
        if self.service.ring.entries:
            self.service.quotas.count_characters(self.holder, characters)

    async def recorded(self, model: LoadedModel, content: bytes, *, guesses: bool) -> Recorded:
        """A file of sound as sources, counted. Raises RequestError (also 429), DataError."""
        found = await self.service.recording(model, content, guesses=guesses)
        self.count(round(found.duration * _SPOKEN))
        return found

    async def body(self) -> bytes:
        """All bytes. Raises RequestError for too many, or too slow ones, or where no more may wait:
        then none is kept, as what is refused must cost little.
        """
        if (refusal := self.service.line.refusal()) is not None:
            await drop_body(self.request)
            raise refusal
        config = self.service.config
        return await read_body(self.request, config.body_bytes, config.body_seconds)

    async def gone(self) -> None:
        """Return when the client has gone away; the body must have been read."""
        if self._stays:
            await asyncio.Event().wait()
        while (await self.request.receive())["type"] != "http.disconnect":
            pass


Handler = Callable[[Exchange], Awaitable[Response]]


def route(
    service: Service,
    path: str,
    handler: Handler,
    *,
    form: ErrorForm = plain_form,
    methods: tuple[str, ...] = ("POST",),
) -> Route:
    """An address and what answers there."""
    return Route(path, Endpoint(service, path, handler, form), methods=list(methods))


class Endpoint:
    """An ASGI application around one handler."""

    def __init__(self, service: Service, path: str, handler: Handler, form: ErrorForm) -> None:
        self.path, self.form = path, form
        self._service, self._handler = service, handler

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, with an error of its interface where there is no answer."""
        begin = time.perf_counter()
        request = Request(scope, receive, send)
        exchange = Exchange(request, self._service)
        try:
            async with asyncio.timeout(self._service.config.seconds):
                reply = await self._handler(exchange)
        except ClientGoneError:
            reply = Response(status_code=_GONE)
        except Exception as error:
            reply = error_reply(_refusal(error, self._service.config.seconds), self.form)
        reply.headers["x-content-type-options"] = "nosniff"
        try:
            await reply(scope, receive, send)
        finally:
            seconds, status = time.perf_counter() - begin, reply.status_code
            self._service.meter.request(self.path, request.method, status, seconds, exchange.holder)


def _refusal(error: Exception, seconds: float) -> RequestError:
    """What a client is told of an error: nothing that names this machine."""
    if isinstance(error, RequestError):
        return error
    if isinstance(error, EngineError):
        return RequestError(str(error), 503, 5)
    if isinstance(error, TransduceError):
        return RequestError(str(error))
    if isinstance(error, TimeoutError):
        return RequestError(f"answer must be there within {seconds:g} seconds; got none", 503, 5)
    place, frames = "", error.__traceback__
    while frames is not None:
        place, frames = f"{frames.tb_frame.f_code.co_qualname}:{frames.tb_lineno}", frames.tb_next
    _LOG.error("%s in %s", type(error).__name__, place)
    return RequestError("answer must be possible; got an error of the server", 500)
