"""What the queue has no room for is refused before it is parsed.

Where far more is asked than can be answered, nearly all of a server's work is to refuse. The usual
way to an answer (parser, task, routes, JSON) would take the time of those who are answered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import lru_cache
from http import HTTPStatus

from starlette.routing import Route

from transduce.server.exchange.endpoint import Endpoint
from transduce.server.exchange.replies import ErrorForm, error_reply
from transduce.server.limits.request_errors import RequestError
from transduce.server.service import Service

__all__ = ["EarlyRefusals"]

_LARGEST = 64 << 10  # bytes of a request
# What the parser shall read: bodies in pieces, clients that wait before they send theirs,
# connections that are to become others, or to be closed.
_ODD = (b"\r\ntransfer-encoding", b"\r\nexpect", b"\r\nupgrade", b"close")
_LENGTH = b"\r\ncontent-length"


class EarlyRefusals:
    """Of the addresses whose paths have no fields."""

    def __init__(self, service: Service, routes: Sequence[Route]) -> None:
        self._line, self._meter = service.line, service.meter
        self._passed = 0  # that were let through in this round of the loop
        self._joined = 0  # of the line, as the first of them was
        self._endpoints = {
            own.path.encode(): own.app
            for own in routes
            if "POST" in (own.methods or ())
            and "{" not in own.path
            and isinstance(own.app, Endpoint)
        }

    def __call__(self, data: bytes) -> tuple[bytes, int] | None:
        """The whole answer, and the bytes of the body that are still to come.

        None where the queue has room, and for all but the first bytes of one plain POST request:
        these go the usual way, which refuses as well.
        """
        if not data.startswith(b"POST "):
            return None
        if (error := self._line.refusal(self._coming())) is None:
            self._let_through()
            return None
        path, rest = _plain(data)
        endpoint = self._endpoints.get(path)
        if endpoint is None:
            return None
        status, answer = _written(endpoint.form, str(error), error.status, error.retry_after)
        self._meter.request(endpoint.path, "POST", status, 0.0, "")
        return answer, rest

    def _coming(self) -> int:
        """How many were let through and do not wait yet."""
        return max(0, self._passed - (self._line.joined - self._joined))

    def _let_through(self) -> None:
        """One more comes. Those of a round are read one after another, and wait after that: if they
        did not count before, all of a burst would be let through, and most refused at greater cost.
        """
        if not self._passed:
            self._joined = self._line.joined
            loop = asyncio.get_running_loop()
            # After the tasks of this round, which begin in the next.
            loop.call_soon(loop.call_soon, self._all_came)
        self._passed += 1

    def _all_came(self) -> None:
        self._passed = 0


def _plain(data: bytes) -> tuple[bytes, int]:
    """The path and the missing bytes of the body; an empty path where the parser shall look.

    A reader more lenient than the parser, or a stricter one, would let somebody who shares a
    connection behind a proxy slip requests between those of others: what is odd is left alone.
    """
    nothing = b"", 0
    head, end, body = data.partition(b"\r\n\r\n")
    first, _, fields = head.partition(b"\r\n")
    words = first.split(b" ")
    if not end or len(data) > _LARGEST or len(words) != 3 or words[2] != b"HTTP/1.1":
        return nothing
    fields = b"\r\n" + fields.lower()
    lines = fields.count(b"\r\n")
    if fields.count(b"\n") != lines or fields.count(b"\r") != lines or b"\0" in fields:
        return nothing
    if any(odd in fields for odd in _ODD) or fields.count(_LENGTH) != 1:
        return nothing
    told = fields.partition(_LENGTH)[2].partition(b"\r\n")[0]
    digits = told[1:].strip(b" \t")
    if not told.startswith(b":") or not digits.isdigit() or len(digits) > 9:
        return nothing
    rest = int(digits) - len(body)
    if not 0 <= rest <= _LARGEST:
        return nothing
    return words[1].partition(b"?")[0], rest


@lru_cache(maxsize=1024)
def _written(
    form: ErrorForm, message: str, status: int, retry_after: int | None
) -> tuple[int, bytes]:
    """The status and the bytes of an answer; they hang on little, and are kept."""
    reply = error_reply(RequestError(message, status, retry_after), form)
    own = reply.status_code
    lines = [
        f"HTTP/1.1 {own} {HTTPStatus(own).phrase}".encode(),
        b"x-content-type-options: nosniff",
    ]
    lines += [name + b": " + value for name, value in reply.raw_headers]
    return own, b"\r\n".join([*lines, b"", bytes(reply.body)])
