"""The queue: who is in the next pack, who waits, who is refused."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

import pytest

from transduce.config import SearchConfig
from transduce.server.limits.request_errors import ClientGoneError, RequestError
from transduce.server.limits.serve_config import ServeConfig
from transduce.server.queue.engine_thread import EngineThread
from transduce.server.queue.requested import Requested
from transduce.server.queue.tickets import Ticket
from transduce.server.queue.waiting_line import WaitingLine
from transduce.workflow.predicting.output import EMPTY, Output

PLAIN = Requested(SearchConfig())


class Echo:
    """Answers nothing, and remembers what it was asked."""

    def __init__(self, fails_on: str = "") -> None:
        self.packs: list[list[str]] = []
        self._fails_on = fails_on

    def answer(self, asked: Requested, sources: Sequence[str]) -> list[list[Output]]:
        self.packs.append(list(sources))
        if self._fails_on in sources:
            raise ValueError("a secret text")
        return [[EMPTY] for _ in sources]


def line(**limits: float) -> WaitingLine:
    config = ServeConfig(**{"queue": 8, "held_bytes": 1000, "pack_tokens": 10, **limits})
    return WaitingLine(config.queue, config.held_bytes, config.pack_tokens, config.wait_seconds)


def ticket(model: Echo, *sources: str, asked: Requested = PLAIN, held: int = 0) -> Ticket:
    return Ticket(model, asked, sources, [len(source) for source in sources], held=held)


def taken(waiting: WaitingLine) -> list[list[str]]:
    pack = waiting.take()
    assert pack is not None
    return [list(share.sources) for share in pack.shares]


def test_a_document_shares_each_pack_with_those_behind_it() -> None:
    async def main() -> None:
        waiting, model = line(), Echo()
        waiting.add(ticket(model, *["aa"] * 6))
        waiting.add(ticket(model, "b"))
        waiting.add(ticket(model, "cc", "cc"))
        assert taken(waiting) == [["aa", "aa"], ["b"], ["cc", "cc"]]
        waiting.add(ticket(model, "d"))  # what is left of the document is at the end by now
        assert taken(waiting) == [["aa", "aa", "aa", "aa"], ["d"]]
        assert len(waiting) == 0
        assert waiting.waiting_cost == 0

    asyncio.run(main())


def test_who_would_wait_too_long_is_refused_at_once() -> None:
    async def main() -> None:
        waiting, model = line(wait_seconds=2.0), Echo()
        waiting.add(ticket(model, "a" * 10))
        waiting.add(ticket(model, "b" * 100))  # nothing is known of the engine yet
        pack = waiting.take()
        assert pack is not None
        assert pack.cost == 10
        waiting.done(pack, 0.1)  # 100 a second: what waits takes one
        waiting.add(ticket(model, "c" * 101))
        with pytest.raises(
            RequestError, match=r"answered within 2 seconds; got 2\.01 for what waits"
        ) as caught:
            waiting.add(ticket(model, "d"))
        assert (caught.value.status, caught.value.retry_after) == (503, 2)
        pack = waiting.take()
        assert pack is not None
        with pytest.raises(RequestError, match=r"got 2\.01 for"):  # what is searched counts
            waiting.add(ticket(model, "d"))
        waiting.done(pack, 1.0)
        waiting.add(ticket(model, "d"))

    asyncio.run(main())


def test_one_that_finds_nobody_waiting_is_taken_however_long() -> None:
    async def main() -> None:
        waiting, model = line(wait_seconds=0.001), Echo()
        waiting.add(ticket(model, "a" * 10))
        pack = waiting.take()
        assert pack is not None
        waiting.done(pack, 10.0)
        waiting.add(ticket(model, "b" * 1000))
        with pytest.raises(RequestError, match=r"must be answered within 0\.001 seconds"):
            waiting.add(ticket(model, "c"))

    asyncio.run(main())


def test_unlike_searches_and_draws_have_packs_of_their_own() -> None:
    async def main() -> None:
        waiting, model = line(), Echo()
        wide, drawn = Requested(SearchConfig(beam=3)), Requested(SearchConfig(sample=True))
        waiting.add(ticket(model, "a"))
        waiting.add(ticket(model, "b", asked=wide))
        waiting.add(ticket(model, "c", "c" * 20, asked=drawn))
        waiting.add(ticket(model, "d"))
        waiting.add(ticket(model, "e", asked=drawn))
        waiting.add(ticket(Echo(), "f"))  # another model
        found = [taken(waiting) for _ in range(5)]
        assert found == [[["a"], ["d"]], [["b"]], [["c", "c" * 20]], [["e"]], [["f"]]]

    asyncio.run(main())


def test_one_that_is_larger_than_a_pack_goes_alone() -> None:
    async def main() -> None:
        waiting, model = line(), Echo()
        waiting.add(ticket(model, "a" * 50))
        waiting.add(ticket(model, "b"))
        assert taken(waiting) == [["a" * 50]]
        assert taken(waiting) == [["b"]]

    asyncio.run(main())


def test_what_is_too_much_is_refused_with_a_time() -> None:
    async def main() -> None:
        waiting, model = line(queue=2), Echo()
        own = [ticket(model, "a", held=400) for _ in range(3)]
        waiting.add(own[0])
        waiting.add(own[1])
        with pytest.raises(RequestError, match="queue must have room; got 2") as caught:
            waiting.add(own[2])
        assert (caught.value.status, caught.value.retry_after) == (503, 1)
        waiting.leave(own[0])
        assert len(waiting) == 1
        with pytest.raises(RequestError, match="at most 1,000 bytes together"):
            waiting.add(ticket(model, "a", held=601))
        waiting.add(own[2])
        pack = waiting.take()
        assert pack is not None
        waiting.done(pack, 2.0)  # one token a second
        for _ in range(2):
            waiting.add(ticket(model, "a" * 15))
        with pytest.raises(RequestError) as caught:
            waiting.add(ticket(model, "a"))
        assert caught.value.retry_after == 30
        waiting.close()
        with pytest.raises(RequestError, match="must be running"):
            waiting.add(ticket(model, "a"))

    asyncio.run(main())


def test_who_goes_away_is_not_answered() -> None:
    async def main() -> None:
        waiting, model = line(), Echo()
        first, second = ticket(model, "a"), ticket(model, "b")
        waiting.add(first)
        waiting.add(second)
        waiting.leave(first)
        assert taken(waiting) == [["b"]]

    asyncio.run(main())


def test_an_error_of_one_is_not_an_error_of_those_beside_it() -> None:
    async def main() -> None:
        waiting, model = line(), Echo("bad")
        good, bad = ticket(model, "good"), ticket(model, "bad")
        waiting.add(good)
        waiting.add(bad)
        engine = EngineThread(waiting, asyncio.get_running_loop())
        engine.start()
        assert await good.future == [[EMPTY]]
        with pytest.raises(RequestError, match="an error of the server") as caught:
            await bad.future
        assert "secret" not in str(caught.value)
        assert model.packs == [["good", "bad"], ["good"], ["bad"]]
        await engine.finish()

    asyncio.run(main())


def test_answers_come_in_parts() -> None:
    async def main() -> None:
        waiting, model = line(), Echo()
        seen: list[int] = []
        whole = Ticket(
            model, PLAIN, ["aaaa"] * 5, [4] * 5, noted=lambda place, outputs: seen.append(place)
        )
        waiting.add(whole)
        engine = EngineThread(waiting, asyncio.get_running_loop())
        engine.start()
        assert len(await whole.future) == 5
        assert seen == [0, 1, 2, 3, 4]
        assert [len(pack) for pack in model.packs] == [2, 2, 1]
        await engine.finish()

    asyncio.run(main())


def test_a_failed_ticket_stays_failed() -> None:
    async def main() -> None:
        own = ticket(Echo(), "a")
        own.fail(ClientGoneError())
        own.settle(0, [[EMPTY]])
        with pytest.raises(ClientGoneError):
            await own.future

    asyncio.run(main())


def test_the_thread_ends_when_its_line_is_empty() -> None:
    async def main() -> None:
        before = set(threading.enumerate())
        engine = EngineThread(line(), asyncio.get_running_loop())
        engine.start()
        own = list(set(threading.enumerate()) - before)
        assert [thread.name for thread in own] == ["transduce-engine"]
        await engine.finish()
        assert not own[0].is_alive()

    asyncio.run(main())
