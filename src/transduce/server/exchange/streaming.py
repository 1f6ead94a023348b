"""Answers one by one, as they come, while the rest still waits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

from transduce.reading.frames import FrameSource
from transduce.server.exchange.endpoint import Exchange
from transduce.server.limits.request_errors import ClientGoneError
from transduce.server.queue.requested import Requested
from transduce.server.shelf.loaded_model import LoadedModel
from transduce.workflow.predicting.output import Output

__all__ = ["in_order"]


async def in_order(
    exchange: Exchange, model: LoadedModel, asked: Requested, sources: Sequence[FrameSource]
) -> AsyncIterator[tuple[int, list[Output]]]:
    """The outputs of each source and its number, in order; the first is there when this returns.

    So what is refused is refused with a status, before a reply has begun. Raises TransduceError.
    """
    arrived: asyncio.Queue[tuple[int, list[Output]] | None] = asyncio.Queue()

    def noted(place: int, outputs: list[Output]) -> None:
        arrived.put_nowait((place, outputs))

    async def search() -> None:
        try:
            await exchange.service.outputs(exchange, model, asked, sources, noted)
        finally:
            arrived.put_nowait(None)

    task = asyncio.create_task(search())
    try:
        first = await arrived.get()
        if first is None:
            await task
    except BaseException:
        task.cancel()
        raise
    return _rest(task, first, arrived, exchange.service.config.seconds)


async def _rest(
    task: asyncio.Task[None],
    first: tuple[int, list[Output]] | None,
    arrived: asyncio.Queue[tuple[int, list[Output]] | None],
    seconds: float,
) -> AsyncIterator[tuple[int, list[Output]]]:
    try:
        held: dict[int, list[Output]] = {}
        number, next_one = 0, first
        async with asyncio.timeout(seconds):
            while next_one is not None:
                held[next_one[0]] = next_one[1]
                while number in held:
                    yield number, held.pop(number)
                    number += 1
                next_one = await arrived.get()
            await task
    except ClientGoneError:
        return
    finally:
        task.cancel()
