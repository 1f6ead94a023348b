"""What asks a server, in a process of its own: so many at once, or so many a second.

Reads one JSON object from standard input and writes one to standard output. It shares the machine
with what it measures, so it is lean: requests are written beforehand, answers read by a protocol.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["main", "request_bytes"]

_PATIENCE = 60.0  # seconds for the last answers
_REFUSED = 0.05  # seconds after which one of so many clients asks again where it was refused


@dataclass
class Tally:
    """What came back. ``seconds`` of each answer with status 200."""

    expected: Mapping[str, str]
    seconds: list[float] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)
    wrong: int = 0
    without_retry: int = 0

    def note(self, text: str, since: float, head: bytes, body: bytes) -> bool:
        """Count one answer; whether it was one, and no refusal."""
        status = head[9:12].decode()
        self.statuses[status] += 1
        if status == "200":
            self.seconds.append(time.perf_counter() - since)
            self.wrong += json.loads(body)["translatedText"] != self.expected.get(text)
        elif status in ("429", "503"):
            self.without_retry += b"retry-after:" not in head
        return status == "200"


class Connection(asyncio.Protocol):
    """One, kept open; one question at a time."""

    def __init__(self, tally: Tally, requests: Mapping[str, bytes]) -> None:
        self._tally, self._requests = tally, requests
        self._transport: asyncio.Transport | None = None
        self._asked: tuple[str, float, Callable[[Connection], None]] | None = None
        self._got = b""
        self.answered = True  # lately, and not refused

    @property
    def open(self) -> bool:
        """Whether it may be asked again."""
        return self._transport is not None and not self._transport.is_closing()

    def ask(self, text: str, since: float, then: Callable[[Connection], None]) -> None:
        """``then`` is called once there is an answer, or will be none."""
        self._asked = text, since, then
        if self._transport is None:
            raise RuntimeError("connection must be open")
        self._transport.write(self._requests[text])

    def connection_made(self, transport: Any) -> None:
        """It is open."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """A piece of an answer."""
        self._got += data
        end = self._got.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._got[:end].lower()
        length = int(head.partition(b"content-length:")[2].split(b"\r\n")[0])
        if len(self._got) < end + 4 + length or self._asked is None:
            return
        body, self._got = self._got[end + 4 : end + 4 + length], b""
        (text, since, then), self._asked = self._asked, None
        self.answered = self._tally.note(text, since, head, body)
        if b"connection: close" in head:
            self.close()
        then(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Who waited waits in vain."""
        if self._asked is not None:
            then, self._asked = self._asked[2], None
            self._tally.statuses["lost"] += 1
            then(self)

    def close(self) -> None:
        """No more questions."""
        if self._transport is not None:
            self._transport.close()


class Load:
    """All connections to a port."""

    def __init__(self, request: Mapping[str, Any]) -> None:
        self._port, self._seconds = request["port"], request["seconds"]
        self.tally = Tally(request["expected"])
        self._texts = list(self.tally.expected)
        self._requests = {text: request_bytes(text) for text in self._texts}
        self._free: list[Connection] = []
        self._waiting = 0
        self._opening: set[asyncio.Task[None]] = set()

    async def closed(self, clients: int) -> None:
        """So many clients, each of which asks again as soon as it is answered."""
        end, loop = time.perf_counter() + self._seconds, asyncio.get_running_loop()

        async def client(number: int) -> None:
            chance, ended = random.Random(number), asyncio.Event()

            def again(connection: Connection) -> None:
                now = time.perf_counter()
                if now < end and connection.open and not connection.answered:
                    connection.answered = True
                    loop.call_later(_REFUSED, again, connection)
                elif now < end and connection.open:
                    connection.ask(chance.choice(self._texts), now, again)
                else:
                    ended.set()

            while time.perf_counter() < end:
                connection = await self._opened()
                ended.clear()
                again(connection)
                await ended.wait()
                connection.close()

        await asyncio.gather(*map(client, range(clients)))

    async def open(self, rate: float, regular: bool) -> None:
        """So many questions a second on average, whether or not others are answered.

        Each apart from the next (Poisson), or ``regular``: always the same time between two.
        """
        chance, begin, at = random.Random(1), time.perf_counter(), 0.0
        while at < self._seconds:
            wait = begin + at - time.perf_counter()
            if wait > 0:
                await asyncio.sleep(wait)
            self._ask(chance.choice(self._texts), begin + at)
            at += 1 / rate if regular else chance.expovariate(rate)
        last = time.perf_counter() + _PATIENCE
        while self._waiting and time.perf_counter() < last:
            await asyncio.sleep(0.01)
        if self._waiting:
            self.tally.statuses["no answer"] += self._waiting

    def _ask(self, text: str, since: float) -> None:
        self._waiting += 1
        while self._free:
            connection = self._free.pop()
            if connection.open:
                connection.ask(text, since, self._answered)
                return
        task = asyncio.create_task(self._ask_anew(text, since))
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    async def _ask_anew(self, text: str, since: float) -> None:
        try:
            connection = await self._opened()
        except OSError as error:
            self.tally.statuses[type(error).__name__] += 1
            self._waiting -= 1
        else:
            connection.ask(text, since, self._answered)

    def _answered(self, connection: Connection) -> None:
        self._waiting -= 1
        if connection.open:
            self._free.append(connection)

    async def _opened(self) -> Connection:
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(
            lambda: Connection(self.tally, self._requests), "127.0.0.1", self._port
        )
        return connection


def request_bytes(text: str) -> bytes:
    """As LibreTranslate's clients ask."""
    body = json.dumps({"q": text, "source": "en", "target": "de"}).encode()
    head = "POST /translate HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
    return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body


def _loop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop
    except ModuleNotFoundError:
        return asyncio.new_event_loop()
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop


def main() -> None:
    """Ask as the object on standard input says."""
    request: dict[str, Any] = json.loads(sys.stdin.readline())
    load, begin = Load(request), time.perf_counter()
    with asyncio.Runner(loop_factory=_loop) as runner:
        if request.get("rate"):
            runner.run(load.open(request["rate"], request.get("regular", False)))
        else:
            runner.run(load.closed(request["clients"]))
    taken, tally = time.perf_counter() - begin, load.tally
    ordered = sorted(tally.seconds) or [0.0]
    shares = {
        f"p{p}": ordered[min(len(ordered) - 1, len(ordered) * p // 100)] for p in (50, 90, 99)
    }
    found = {
        "a_second": len(tally.seconds) / taken,
        "milliseconds": {name: round(1000 * value, 2) for name, value in shares.items()},
        "statuses": dict(tally.statuses),
        "wrong": tally.wrong,
        "without_retry_after": tally.without_retry,
        "own_seconds": round(time.process_time(), 2),
    }
    print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
