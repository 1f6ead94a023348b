"""Documents that are translated while their clients do other things, until they are fetched."""

from __future__ import annotations

import asyncio
import hmac
import secrets
import time
import uuid
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from transduce.errors import TransduceError
from transduce.server.limits.request_errors import RequestError

__all__ = ["Document", "DocumentDesk"]

_SECONDS = 1800.0  # that a document waits to be fetched
_MOST, _MOST_BYTES = 1000, 64 << 20  # of all documents: of sources, and then of translations
_LOOK = 1.0  # seconds that a look at an unfinished one takes: most are done by then


@dataclass
class Document:
    """One of a client. ``content`` is there when it is done, ``error`` where it failed."""

    name: str
    characters: int
    held: int  # bytes, about
    number: str = field(default_factory=lambda: uuid.uuid4().hex.upper())
    key: str = field(default_factory=lambda: secrets.token_hex(32).upper())
    content: bytes | None = None
    error: str = ""
    began: float = 0.0
    work: asyncio.Task[None] | None = None

    async def state(self) -> str:
        """As DeepL says it; an unfinished one is waited for, a little."""
        if self.work is not None and not self.work.done():
            await asyncio.wait({self.work}, timeout=_LOOK)
        if self.error:
            return "error"
        return "translating" if self.content is None else "done"


class DocumentDesk:
    """All documents of a server, in memory: none is ever on a disk."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        """``seconds``: that the translation of one may take."""
        self._seconds, self._clock = seconds, clock
        self._documents: dict[str, Document] = {}

    def take(self, document: Document, work: Coroutine[Any, Any, bytes]) -> None:
        """Begin with one. Raises RequestError (503) where there are too many."""
        now = self._clock()
        old = [n for n, d in self._documents.items() if now - d.began >= _SECONDS]
        for number in old:
            self._end(self._documents.pop(number))
        held = sum(own.held for own in self._documents.values()) + document.held
        if len(self._documents) >= _MOST or held > _MOST_BYTES:
            work.close()
            raise RequestError("documents that wait must be fewer; got too many", 503, 60)
        document.began = now
        document.work = asyncio.create_task(self._run(document, work))
        self._documents[document.number] = document

    def get(self, number: str, key: str) -> Document:
        """Raises RequestError (404), also for a wrong key."""
        found = self._documents.get(number)
        known = found is not None and hmac.compare_digest(found.key.encode(), key.encode())
        if found is None or not known or self._clock() - found.began >= _SECONDS:
            raise RequestError("document must be one that was sent here; got another", 404)
        return found

    def fetch(self, document: Document) -> bytes:
        """The translation, once. Raises RequestError (503) where it is not done."""
        if document.content is None:
            raise RequestError("document must be translated; got one that is not yet", 503, 1)
        self._end(self._documents.pop(document.number))
        return document.content

    async def _run(self, document: Document, work: Coroutine[Any, Any, bytes]) -> None:
        try:
            async with asyncio.timeout(self._seconds):
                content = await work
        except TransduceError as error:
            document.error = str(error)
        except TimeoutError:
            document.error = f"document must be translated within {self._seconds:g} seconds"
        else:
            document.content, document.held = content, len(content)

    def _end(self, document: Document) -> None:
        if document.work is not None:
            document.work.cancel()
