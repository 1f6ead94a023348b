"""What becomes of a pack: nobody is told nothing in the place of an answer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

import pytest

from transduce.config import SearchConfig
from transduce.reading.frames import FrameSource
from transduce.server.limits.request_errors import RequestError
from transduce.server.queue.answers import answers_of
from transduce.server.queue.requested import Requested
from transduce.server.queue.tickets import Ticket
from transduce.server.queue.waiting_line import PackShare
from transduce.workflow.predicting.output import Output


class Leaving:
    """A model that leaves out what it has no answer for."""

    def __init__(self, found: Sequence[list[Output]]) -> None:
        self._found = found

    def answer(self, asked: Requested, sources: Sequence[FrameSource]) -> list[list[Output]]:
        return list(self._found)


@pytest.mark.parametrize(
    "found", [[], [[Output("a", (), 0.0, 0.0, ())]], [[Output("a", (), 0.0, 0.0, ())], []]]
)
def test_a_source_without_an_answer_is_an_error(
    found: list[list[Output]], caplog: pytest.LogCaptureFixture
) -> None:
    async def answered() -> list[object]:
        ticket = Ticket(Leaving(found), Requested(SearchConfig()), ["a", "b"], [1, 1])
        return list(answers_of([PackShare(ticket, 0, 2)]))

    with caplog.at_level(logging.CRITICAL, "transduce.server"):
        (answer,) = asyncio.run(answered())
    assert isinstance(answer, RequestError)
    assert answer.status == 500
