"""Looks inside a model, one after another, in a thread beside the engine's."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from transduce.config import SearchConfig
from transduce.errors import DataError
from transduce.explain.asking.question import Quantity
from transduce.explain.beam_tree import beam_tree
from transduce.explain.explaining import explain
from transduce.reading.frames import FrameSource
from transduce.server.limits.request_errors import RequestError
from transduce.server.shelf.loaded_model import LoadedModel
from transduce.workflow.trained import TrainedModel

__all__ = ["Look", "LookingInside"]

_MOST = 16  # looks that wait
_DROPPED = 2  # branches of each step of each lane of a tree that did not go on
_LONGEST = 1000  # characters of a text that is explained


@dataclass(frozen=True)
class Look:
    """What somebody wants to know of one source: its beam tree, or weights of its parts."""

    source: FrameSource
    part: str | None
    languages: tuple[str | None, str | None]
    options: SearchConfig
    tree: bool
    target: str | None
    against: str | None
    method: str | None
    quantity: Quantity
    alternatives: int


class LookingInside:
    """Methods take up to seconds of a source, so nobody who waits for an answer waits for them.

    The engine's form of a model is the engine thread's own: here the model itself is asked.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "transduce-looking")
        self._waiting = 0

    async def at(self, model: LoadedModel, look: Look) -> dict[str, Any]:
        """The record that ``transduce explain`` writes as JSON, without a picture's pixels.

        Raises TransduceError; RequestError (503) where too many wait.
        """
        for text in (look.source, look.target):
            if isinstance(text, str) and len(text) > _LONGEST:
                raise DataError(
                    f"text must have at most {_LONGEST:,} characters to be explained; "
                    f"got {len(text):,}"
                )
        if self._waiting >= _MOST:
            raise RequestError("explanations must be fewer; got too many that wait", 503, 5)
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._thread, _found, model.trained, look)
        finally:
            self._waiting -= 1


def _found(trained: TrainedModel, look: Look) -> dict[str, Any]:
    own = replace(trained, config=trained.config.model_copy(update={"engine": "reference"}))
    if look.languages != (None, None):
        own = own.speaking(*look.languages)
    if look.tree:
        return beam_tree(own, look.source, look.options, part=look.part, dropped=_DROPPED).to_dict()
    found = explain(
        own,
        look.source,
        look.target,
        method=look.method,
        against=look.against,
        quantity=look.quantity,
        part=look.part,
        alternatives=look.alternatives,
    ).to_dict()
    if found["canvas"] is not None:
        del found["canvas"]["picture"]  # the client has it
    return found
