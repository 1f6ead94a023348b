"""All that answers requests: models, the queue before the engine, limits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from typing import Any, Protocol

from transduce.errors import ConfigError
from transduce.reading.frames import FrameSource
from transduce.server.limits.keys import KeyRing
from transduce.server.limits.quotas import Quotas
from transduce.server.limits.request_errors import ClientGoneError
from transduce.server.limits.serve_config import ServeConfig
from transduce.server.metering import Meter
from transduce.server.queue.engine_thread import EngineThread
from transduce.server.queue.requested import Requested
from transduce.server.queue.search_desk import SearchDesk, process_count
from transduce.server.queue.tickets import Ticket
from transduce.server.queue.waiting_line import WaitingLine
from transduce.server.shelf.loaded_model import LoadedModel
from transduce.server.shelf.media import Recorded
from transduce.server.shelf.model_shelf import ModelShelf
from transduce.server.shelf.served_languages import ServedLanguages
from transduce.server.texts.documents import DocumentDesk
from transduce.server.texts.glossaries import GlossaryBook
from transduce.server.texts.whole_files import FinishedFiles
from transduce.workflow.predicting.output import Output

__all__ = ["Client", "Service"]

_UNWATCHED = 0.2  # seconds
_DECODING = 2  # files of recordings and pictures that are read at once


class Client(Protocol):
    """Who waits for an answer."""

    @property
    def adapter(self) -> str | None:
        """The name of what a model is changed by for them; None: as it is."""
        ...

    async def gone(self) -> None:
        """Return when nobody waits any more."""
        ...


class Service:
    """One for each server, used in the thread of its event loop."""

    def __init__(self, shelf: ModelShelf, config: ServeConfig) -> None:
        self.shelf = shelf
        self.languages = ServedLanguages(shelf)
        self.config = config
        self.ring = KeyRing.read(config.keys)
        _require_adapters(self.ring, shelf)
        self.quotas = Quotas(self.ring, config)
        self.draining = False
        self.glossaries = GlossaryBook()
        self.finished = FinishedFiles()
        self.documents = DocumentDesk(config.seconds)
        self.meter = Meter(self.line_state)
        self._decoding = asyncio.Semaphore(_DECODING)
        processes = process_count(config.processes)
        self.line = WaitingLine(
            config.queue,
            config.held_bytes,
            config.pack_tokens,
            config.wait_seconds,
            max(1, processes),
        )
        self._desk = SearchDesk(self.line, processes, self.meter.pack)
        self._engine: EngineThread | None = None

    def line_state(self) -> tuple[int, int]:
        """Requests that wait, and bytes that are held for them."""
        return len(self.line), self.line.held

    @property
    def ready(self) -> bool:
        """Whether a request would be taken and answered at once."""
        return self.shelf.ready and not self.draining

    async def begin(self) -> None:
        """Load the first model and start the engine."""
        model = await self.shelf.get()
        desk, loop = self._desk, asyncio.get_running_loop()
        await desk.begin(model.note)
        self._engine = EngineThread(
            self.line, loop, self.meter.pack, lambda ticket: not desk.takes(ticket)
        )
        self._engine.start()

    async def finish(self) -> None:
        """Answer all that waits, and stop."""
        self.draining = True
        if self._engine is not None:
            await asyncio.gather(self._engine.finish(), self._desk.finish())

    async def recording(self, model: LoadedModel, content: bytes, *, guesses: bool) -> Recorded:
        """A file of sound as sources, read in a thread. Raises RequestError, DataError."""
        async with self._decoding:
            return await asyncio.to_thread(
                model.recording, content, self.config.sound_seconds, guesses=guesses
            )

    async def picture(self, model: LoadedModel, content: bytes) -> FrameSource:
        """A picture's file as a source, once its size is known. Raises RequestError, DataError."""
        async with self._decoding:
            return await asyncio.to_thread(model.picture, content, self.config.pixels)

    async def outputs(
        self,
        client: Client,
        model: LoadedModel,
        asked: Requested,
        sources: Sequence[FrameSource],
        noted: Callable[[int, list[Output]], None] | None = None,
    ) -> list[list[Output]]:
        """The outputs of each source; errors of single ones stand in their place.

        Who asks for no adapter has that of the ``client``, where the model has it. The place in the
        queue is free when the client has gone. Raises TransduceError, ClientGoneError.
        """
        if asked.adapter is None and client.adapter and model.has_adapter(client.adapter):
            asked = replace(asked, adapter=client.adapter)
        model.require(asked)
        if not sources:
            return []
        held = sum(_size(source) for source in sources)
        costs = model.costs(sources)
        apart = model.apart(asked)
        ticket = Ticket(model, asked, sources, costs, held=held, apart=apart, noted=noted)
        self.meter.sources(model.name, len(sources))
        self.line.add(ticket)
        if apart is not None:
            self._desk.wake()
        # Most are answered before it is worth a look whether somebody still waits.
        loop, watching = asyncio.get_running_loop(), _Watching(ticket, client.gone)
        later = loop.call_later(_UNWATCHED, watching.begin)
        try:
            return await ticket.future
        finally:
            later.cancel()
            watching.end()
            ticket.future.cancel()
            self.line.leave(ticket)


def _require_adapters(ring: KeyRing, shelf: ModelShelf) -> None:
    """Raise ConfigError where a key has an adapter that there is not."""
    for name, entry in ring.entries.items():
        if entry.adapter is not None and entry.adapter not in shelf.adapters:
            known = ", ".join(shelf.adapters) or "none (--adapter)"
            raise ConfigError(
                f"keys: {name}: adapter must be one of the server's: {known}; got {entry.adapter!r}"
            )


class _Watching:
    """Looks whether the client of a ticket is still there."""

    def __init__(self, ticket: Ticket, gone: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._ticket, self._gone = ticket, gone
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        self._task = asyncio.create_task(self._watch())

    def end(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _watch(self) -> None:
        await self._gone()
        self._ticket.fail(ClientGoneError())


def _size(source: FrameSource) -> int:
    """Bytes, about."""
    if isinstance(source, tuple):
        return int(source[0].nbytes)
    if isinstance(source, str | bytes):
        return len(source)
    return int(getattr(source, "nbytes", 0))
