"""What is looked at beside a load: one client in turn with ``predict``, memory over the minutes."""

from __future__ import annotations

import json
import socket
import statistics
import threading
import time
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

from benchmarks.serve_load import request_bytes

__all__ = ["ServerTimes", "Watched", "single"]

_IN_TURN = 20  # texts to the server, then to ``predict``
_LOOKS = 0.5  # seconds between two
_WARM = 0.2  # of the looks, before memory must stay


def single(port: int, folder: Path, expected: Mapping[str, str], seconds: float) -> dict[str, Any]:
    """Milliseconds of one request at a time, and of ``Transducer.predict`` in this process."""
    import torch

    from transduce import Transducer

    torch.set_num_threads(2)
    model = Transducer.load(folder, device="cpu")
    texts = list(expected)
    server, alone, wrong = [], [], 0
    end, place = time.monotonic() + seconds, 0
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while time.monotonic() < end or place < 2 * len(texts):
            own = [texts[(place + n) % len(texts)] for n in range(_IN_TURN)]
            place += _IN_TURN
            for text in own:
                begin = time.perf_counter()
                answer = _asked(connection, text)
                server.append(time.perf_counter() - begin)
                wrong += answer != expected[text]
            for text in own:
                begin = time.perf_counter()
                model.predict([text])
                alone.append(time.perf_counter() - begin)
    both = [1000 * statistics.median(taken[len(texts) :]) for taken in (server, alone)]
    return {
        "milliseconds": round(both[0], 2),
        "predict_milliseconds": round(both[1], 2),
        "added": round(both[0] - both[1], 2),
        "wrong": wrong,
    }


def _asked(connection: socket.socket, text: str) -> str:
    connection.sendall(request_bytes(text))
    got = connection.recv(65536)
    while (end := got.find(b"\r\n\r\n")) < 0:
        got += connection.recv(65536)
    length = int(got[:end].lower().partition(b"content-length:")[2].split(b"\r\n")[0])
    while len(got) < end + 4 + length:
        got += connection.recv(65536)
    return str(json.loads(got[end + 4 :])["translatedText"])


class ServerTimes:
    """How long our server itself had answered requests, by its ``/metrics``.

    The rest of what a client waits is its own, and that of a machine which both share.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._before = self._counts()

    def summary(self) -> dict[str, float]:
        """Upper bounds in milliseconds of the median and the 99th of 100 since the beginning."""
        now = self._counts()
        grown = {edge: now[edge] - self._before.get(edge, 0.0) for edge in now}
        if not grown or not grown[max(grown)]:
            return {}
        whole = grown[max(grown)]
        return {
            f"p{share}": 1000 * min(e for e, n in grown.items() if n >= whole * share / 100)
            for share in (50, 99)
        }

    def _counts(self) -> dict[float, float]:
        """Requests by the upper edge of a bucket, in seconds."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/metrics") as answer:
                lines = answer.read().decode().splitlines()
        except OSError:  # the peer has none
            return {}
        found = {}
        for line in lines:
            if line.startswith("transduce_request_seconds_bucket") and '"/translate"' in line:
                found[float(line.partition('le="')[2].partition('"')[0])] = float(line.split()[-1])
        return found


class Watched:
    """Looks at a number twice a second, in a thread."""

    def __init__(self, look: Callable[[], float]) -> None:
        self._look = look
        self._seen: list[float] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(_LOOKS):
            self._seen.append(self._look())

    def summary(self) -> dict[str, float]:
        """The first look; after the first fifth the first, the least, the most; the last."""
        if not self._seen:
            return {}
        warm = self._seen[int(_WARM * len(self._seen)) :]
        numbers = {"begin": self._seen[0], "warm": warm[0], "least": min(warm), "most": max(warm)}
        return {name: round(value, 1) for name, value in {**numbers, "end": warm[-1]}.items()}
