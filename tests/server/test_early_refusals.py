"""What there is no room for: refused before it is parsed, and as it would be refused after."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from typing import Self

import pytest

from reversal_run import Run
from started import Started, started
from transduce.server.shelf.loaded_model import LoadedModel

BODY = json.dumps({"q": "abc", "text": "abc", "source": "a", "target": "b"}).encode()
PATHS = ("/predict", "/translate", "/v1/audio/transcriptions", "/v2/translate")


def request(path: str, *more: str, body: bytes = BODY, length: int | None = None) -> bytes:
    told = len(body) if length is None else length
    lines = [f"POST {path} HTTP/1.1", "Host: x", "Content-Type: application/json", *more]
    return "\r\n".join([*lines, f"Content-Length: {told}", "", ""]).encode() + body


@pytest.fixture(scope="module")
def full(run: Run) -> Iterator[Started]:
    """Its engine is held, and one request waits, which is all that may."""
    gate, answer = threading.Event(), LoadedModel.answer

    def waiting(self: LoadedModel, *arguments: object) -> object:
        gate.wait(60)
        return answer(self, *arguments)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LoadedModel, "answer", waiting)
        with started({"reverse": run.folder}, queue=1) as server:
            line = server.running.service.line
            clients: list[Client] = []
            for done in (lambda: line.held > 0 and not len(line), lambda: len(line) == 1):
                clients.append(Client(server))
                clients[-1].send(request("/translate"))
                while not done():
                    pass
            yield server
            gate.set()
            for client in clients:
                with client:
                    assert client.read()[0] == 200


class Client:
    """One connection, of which answers are read one after another."""

    def __init__(self, server: Started) -> None:
        self.socket = socket.create_connection(("127.0.0.1", server.port), timeout=60)
        self._bytes = self.socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._bytes.close()
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def read(self) -> tuple[int, dict[str, str], bytes]:
        first = self._bytes.readline()
        lines = iter(self._bytes.readline, b"\r\n")
        pairs = (line.decode().rstrip().split(": ", 1) for line in lines)
        headers = {name.lower(): value for name, value in pairs}
        return int(first.split()[1]), headers, self._bytes.read(int(headers["content-length"]))

    def ends(self) -> bool:
        return self._bytes.read(1) == b""


@pytest.mark.parametrize("path", PATHS)
def test_early_and_late_refusals_are_alike(full: Started, path: str) -> None:
    with Client(full) as client:
        client.send(request(path))
        early = client.read()
        client.send(request(path, "Expect: 100-continue"))  # the parser reads it
        late = client.read()
        assert early[0] == late[0] == 503
        assert early[2] == late[2]
        assert int(early[1]["retry-after"]) >= 1
        late[1].pop("date")
        assert early[1] == late[1]


def test_refusals_are_counted(full: Started) -> None:
    def count() -> float:
        lines = full.ask("GET", "/metrics").body.decode().splitlines()
        name = 'transduce_requests_total{path="/translate",status="503"}'
        return sum(float(line.split()[-1]) for line in lines if line.startswith(name))

    before = count()
    with Client(full) as client:
        for _ in range(3):
            client.send(request("/translate"))
            assert client.read()[0] == 503
    assert count() == before + 3


def test_a_body_that_comes_later_is_passed_over(full: Started) -> None:
    with Client(full) as client:
        whole = request("/translate", body=b"POST /translate HTTP/1.1\r\n\r\n" * 3)
        client.send(whole[:120])
        assert client.read()[0] == 503
        for place in range(120, len(whole)):
            client.send(whole[place : place + 1])
        client.send(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n")
        assert client.read()[0] == 200


@pytest.mark.parametrize(
    ("data", "statuses"),
    [
        (request("/translate") * 2, [503, 503]),
        (request("/health"), [405]),
        (request("/nowhere"), [404]),
        (request("/models/reverse"), [503]),
        (request("/translate", "Content-Length: 1"), [400]),
        (request("/translate", "Transfer-Encoding: chunked", body=b"0\r\n\r\n"), [400]),
        (request("/translate", "Connection: close"), [503]),
        (request("/translate", "x: a\nContent-Length: 1"), [400]),
        (request("/translate").replace(b"Content-Length:", b"Content-Length :"), [400]),
        (request("/translate").replace(b"HTTP/1.1", b"HTTP/3.1"), [400]),
        (request("/translate", length=-1), [400]),
    ],
    ids=range(11),
)  # fmt: skip
def test_what_is_not_plain_goes_to_the_parser(
    full: Started, data: bytes, statuses: list[int]
) -> None:
    with Client(full) as client:
        client.send(data)
        assert [client.read()[0] for _ in statuses] == statuses
        if 400 in statuses or b"Connection: close" in data:
            assert client.ends()
        else:  # nothing was answered twice
            client.send(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n")
            assert client.read()[0] == 200


def test_the_rest_of_a_body_is_no_request(full: Started) -> None:
    """The answer came before the body did; what stands in this must not be answered."""
    within = request("/translate")
    with Client(full) as client:
        client.send(request("/nowhere", body=within[:1], length=len(within)))
        assert client.read()[0] == 404
        client.send(within[1:])
        client.send(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n")
        assert client.read()[0] == 200


def test_large_bodies_are_told_why(full: Started) -> None:
    body = b"a" * 5_000_000
    with Client(full) as client:
        client.send(request("/predict", body=body))
        assert client.read()[0] == 503
