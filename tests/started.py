"""A server in a thread of the tests, on a port that was free."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transduce.server.limits.serve_config import serve_config
from transduce.server.running import Running, bound_socket
from transduce.server.shelf.model_shelf import ModelShelf

__all__ = ["Keyed", "Reply", "Started", "multipart", "started", "until"]


class Reply:
    """Status, headers and body of an answer."""

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Started:
    """A running server and the plainest client of it."""

    def __init__(self, running: Running, port: int) -> None:
        self.running, self.port = running, port
        self.url = f"http://127.0.0.1:{port}"

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body, dict(headers or {}))
            got = connection.getresponse()
            names = {name.lower(): value for name, value in got.getheaders()}
            return Reply(got.status, names, got.read())
        finally:
            connection.close()

    def post(self, path: str, value: object, headers: Mapping[str, str] | None = None) -> Reply:
        """JSON."""
        own = {"content-type": "application/json", **(headers or {})}
        return self.ask("POST", path, json.dumps(value), own)


def until(what: Callable[[], bool]) -> None:
    """Wait for it, half a minute at most."""
    for _ in range(3000):
        if what():
            return
        time.sleep(0.01)
    raise AssertionError("it never came about")


@contextlib.contextmanager
def started(
    models: Mapping[str, Path], adapters: Mapping[str, Path] | None = None, **options: Any
) -> Iterator[Started]:
    """A server with these options; at the end it has answered all that it took.

    Without processes beside it, unless they are asked for.
    """
    config = serve_config(None, {}, {"processes": 0, **options})
    memory = config.memory_gigabytes
    bound = bound_socket("127.0.0.1", 0)
    shelf = ModelShelf(models, None if memory is None else memory * 1e9, adapters)
    running = Running(shelf, config, bound)
    begun = threading.Event()
    thread = threading.Thread(target=running.run, args=(begun.set,), daemon=True)
    thread.start()
    try:
        assert begun.wait(60)
        yield Started(running, bound.getsockname()[1])
    finally:
        running.stop()
        thread.join(60)
        bound.close()
    assert not thread.is_alive()


@dataclass(frozen=True)
class Keyed:
    """A server of three models that wants a key."""

    started: Started
    folders: dict[str, Path]
    key: str

    @property
    def url(self) -> str:
        return self.started.url

    @property
    def bearer(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.key}"}


def multipart(
    fields: dict[str, str], files: list[tuple[str, bytes]]
) -> tuple[bytes, dict[str, str]]:
    """A form with files named ``file``, and its header."""
    line = b"--" + base64.b16encode(b"boundary")
    parts = [
        line + f'\r\ncontent-disposition: form-data; name="{n}"\r\n\r\n{v}\r\n'.encode()
        for n, v in fields.items()
    ]
    parts += [
        line
        + f'\r\ncontent-disposition: form-data; name="file"; filename="{name}"\r\n\r\n'.encode()
        + content
        + b"\r\n"
        for name, content in files
    ]
    body = b"".join(parts) + line + b"--\r\n"
    return body, {"content-type": f"multipart/form-data; boundary={line[2:].decode()}"}
