"""What asks a server, in a process of its own: so many at once, or so many a second.

Reads one JSON object from standard input and writes one to standard output.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["main"]

_PATIENCE = 60.0  # seconds for an answer


@dataclass
class Tally:
    """What came back. ``seconds`` of each answer with status 200."""

    expected: Mapping[str, str]
    seconds: list[float] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)
    wrong: int = 0
    without_retry: int = 0


class Connection:
    """One, kept open."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, text: str) -> tuple[int, bool, bytes]:
        """Status, whether it says when to come again, body."""
        body = json.dumps({"q": text, "source": "en", "target": "de"}).encode()
        head = (
            "POST /translate HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\n\r\n"
        )
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        writer.write(head.encode() + body)
        headers = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = int(headers.partition(b"content-length:")[2].split(b"\r\n")[0])
        answer = await reader.readexactly(length)
        if b"connection: close" in headers:
            self.close()
        return int(headers.split(b" ")[1]), b"retry-after:" in headers, answer

    def close(self) -> None:
        """The next question opens it anew."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


async def _one(connection: Connection, text: str, tally: Tally, since: float) -> None:
    try:
        status, says_when, body = await asyncio.wait_for(connection.ask(text), _PATIENCE)
    except (OSError, asyncio.IncompleteReadError, TimeoutError) as error:
        connection.close()
        tally.statuses[type(error).__name__] += 1
        return
    tally.statuses[str(status)] += 1
    if status == 200:
        tally.seconds.append(time.perf_counter() - since)
        tally.wrong += json.loads(body)["translatedText"] != tally.expected.get(text)
    elif status in (429, 503):
        tally.without_retry += not says_when


async def _closed(port: int, clients: int, seconds: float, tally: Tally) -> None:
    """So many clients, each of which asks again as soon as it is answered."""
    texts = list(tally.expected)
    end = time.perf_counter() + seconds

    async def client(number: int) -> None:
        connection, chance = Connection(port), random.Random(number)
        while time.perf_counter() < end:
            await _one(connection, chance.choice(texts), tally, time.perf_counter())
        connection.close()

    await asyncio.gather(*map(client, range(clients)))


async def _open(port: int, rate: float, seconds: float, tally: Tally) -> None:
    """So many questions a second on average (Poisson), whether or not others are answered."""
    texts, chance, free = list(tally.expected), random.Random(1), list[Connection]()
    begin, at = time.perf_counter(), 0.0
    tasks: set[asyncio.Task[None]] = set()

    async def once(since: float) -> None:
        connection = free.pop() if free else Connection(port)
        await _one(connection, chance.choice(texts), tally, since)
        free.append(connection)

    while at < seconds:
        wait = begin + at - time.perf_counter()
        if wait > 0:
            await asyncio.sleep(wait)
        task = asyncio.create_task(once(begin + at))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        at += chance.expovariate(rate)
    await asyncio.gather(*tasks)
    for connection in free:
        connection.close()


def main() -> None:
    """Ask as the object on standard input says."""
    request: dict[str, Any] = json.loads(sys.stdin.readline())
    tally = Tally(request["expected"])
    begin = time.perf_counter()
    if request.get("rate"):
        asyncio.run(_open(request["port"], request["rate"], request["seconds"], tally))
    else:
        asyncio.run(_closed(request["port"], request["clients"], request["seconds"], tally))
    taken = time.perf_counter() - begin
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
    }
    print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
