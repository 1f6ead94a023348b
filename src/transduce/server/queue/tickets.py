"""The sources of one request on their way through the queue."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from transduce.reading.frames import FrameSource
from transduce.server.queue.requested import Requested
from transduce.server.queue.search_process import ApartSearch
from transduce.workflow.predicting.output import Output

__all__ = ["Answering", "Ticket"]


class Answering(Protocol):
    """A model that answers a pack."""

    def answer(self, asked: Requested, sources: Sequence[FrameSource]) -> list[list[Output]]:
        """The outputs of each source, best first; an error as an output that says why."""
        ...


class Ticket:
    """Sources of one request, which may be answered in several packs.

    Made and settled in the thread of the event loop; ``taken`` and ``found`` are the queue's.
    """

    def __init__(
        self,
        model: Answering,
        asked: Requested,
        sources: Sequence[FrameSource],
        costs: Sequence[int],
        *,
        held: int = 0,
        apart: ApartSearch | None = None,
        noted: Callable[[int, list[Output]], None] | None = None,
    ) -> None:
        """``costs`` are the tokens (or frames) of each source, ``held`` the bytes of all.
        ``apart``: what a process beside the server's can answer it by.

        ``noted`` is told of each output as it comes, by its place, in the loop's thread.
        """
        self.model = model
        self.asked = asked
        self.sources = sources
        self.costs = [cost * asked.rows for cost in costs]
        self.held = held
        self.apart = apart
        self.arrived = time.monotonic()
        self.taken = 0  # sources that were given to the engine
        self.cancelled = False
        self._noted = noted
        self._found: list[list[Output] | None] = [None] * len(sources)
        self._left = len(sources)
        self.future: asyncio.Future[list[list[Output]]] = asyncio.get_running_loop().create_future()

    @property
    def key(self) -> tuple[int, Requested]:
        """Equal for tickets that may share a pack."""
        return id(self.model), self.asked

    @property
    def waits(self) -> bool:
        """Whether sources are left that nobody has taken."""
        return not self.cancelled and self.taken < len(self.sources)

    def settle(self, first: int, outputs: Sequence[list[Output]]) -> None:
        """Note the outputs of the sources from number ``first`` on."""
        if self.future.done():
            return
        for place, own in enumerate(outputs, first):
            self._found[place] = own
            self._left -= 1
            if self._noted is not None:
                self._noted(place, own)
        if not self._left:
            self.future.set_result([own for own in self._found if own is not None])

    def fail(self, error: BaseException) -> None:
        """There will be no answer."""
        self.cancelled = True
        if not self.future.done():
            self.future.set_exception(error)
