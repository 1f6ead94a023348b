"""From the first request to the last: clients that go away, models that change, the end."""

from __future__ import annotations

import contextlib
import http.client
import json
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from reversal_run import Run
from served_models import saved_untrained
from started import Started, started, until
from transduce.errors import ConfigError, ModelError
from transduce.server.limits.serve_config import ServeConfig
from transduce.server.log_lines import ACCESS, logged
from transduce.server.running import Running, bound_socket
from transduce.server.shelf.loaded_model import LoadedModel
from transduce.server.shelf.model_names import named_models
from transduce.server.shelf.model_shelf import ModelShelf

BODY = json.dumps({"source": "abc"}).encode()
HEAD = (
    f"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
    f"content-length: {len(BODY)}\r\n\r\n"
).encode()


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """The engine answers once this is set."""
    event, answer = threading.Event(), LoadedModel.answer

    def waiting(self: LoadedModel, *arguments: object) -> object:
        event.wait(60)
        return answer(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(LoadedModel, "answer", waiting)
    return event


def opened(server: Started) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", server.port))
    client.sendall(HEAD + BODY)
    return client


def status(client: socket.socket) -> int:
    response = http.client.HTTPResponse(client)
    response.begin()
    response.read()
    response.close()
    return response.status


def test_who_goes_away_frees_a_place_and_who_waits_is_answered(
    run: Run, gate: threading.Event
) -> None:
    with started({"reverse": run.folder}, queue=2) as server:
        line = server.running.service.line
        first = opened(server)
        until(lambda: line.waiting_cost == 0 and server.running.service.line.held > 0)
        waiting, leaving = opened(server), opened(server)
        until(lambda: len(line) == 2)
        refused = server.ask("POST", "/predict", BODY, {"content-type": "application/json"})
        assert refused.status == 503
        assert int(refused.headers["retry-after"]) >= 1
        leaving.close()
        until(lambda: len(line) == 1)
        server.running.stop()  # takes nothing more, and answers what it has taken
        gate.set()
        assert [status(first), status(waiting)] == [200, 200]
        first.close()
        waiting.close()
    assert line.held == 0


def test_an_answer_that_takes_too_long(run: Run, gate: threading.Event) -> None:
    with started({"reverse": run.folder}, seconds=0.3) as server:
        reply = server.ask("POST", "/predict", BODY, {"content-type": "application/json"})
        assert reply.status == 503
        assert "within 0.3 seconds" in reply.json["error"]
        gate.set()


def test_slow_and_endless_clients(run: Run) -> None:
    with started({"reverse": run.folder}, body_seconds=0.2, header_seconds=0.2) as server:
        slow = socket.create_connection(("127.0.0.1", server.port))
        slow.sendall(HEAD + BODY[:3])
        assert status(slow) == 408
        slow.close()
        silent = socket.create_connection(("127.0.0.1", server.port))
        silent.sendall(b"POST /predict HTTP/1.1\r\nhost: x\r\n")
        assert silent.recv(100) == b""  # closed
        silent.close()
        large = socket.create_connection(("127.0.0.1", server.port))
        found = 400  # or the connection ends before all was sent
        with contextlib.suppress(ConnectionError, http.client.HTTPException):
            large.sendall(b"GET /health HTTP/1.1\r\nx: " + b"a" * 1_000_000)
            found = status(large)
        assert found == 400
        large.close()
        assert server.ask("GET", "/health").status == 200


def test_more_connections_than_there_may_be(run: Run, gate: threading.Event) -> None:
    with started({"reverse": run.folder}, connections=1) as server:
        first = opened(server)
        until(lambda: server.running.service.line.held > 0)
        with opened(server) as second:
            response = http.client.HTTPResponse(second)
            response.begin()
            assert (response.status, response.headers["retry-after"]) == (503, "1")
            response.close()
        gate.set()
        assert status(first) == 200
        with opened(server) as third:  # takes the place of the one that nobody uses
            assert status(third) == 200
        assert first.recv(1) == b""
        first.close()
        until(lambda: server.ask("GET", "/health").status == 200)


def test_models_share_the_memory(run: Run, tmp_path: Path) -> None:
    hear = saved_untrained("audio", tmp_path / "hear")
    with started({"reverse": run.folder, "hear": hear}, memory_gigabytes=1e-9) as server:
        shelf = server.running.service.shelf
        assert shelf.loaded == ("reverse",)
        assert server.post("/models/hear", {"inputs": ""}).status == 400
        assert shelf.loaded == ("hear",)
        assert server.post("/predict", {"source": "abc"}).json["text"] == "cba"
        assert shelf.loaded == ("reverse",)


def test_a_model_that_is_replaced_is_taken_over(run: Run, tmp_path: Path) -> None:
    from transduce.workflow.trained import TrainedModel

    folder = tmp_path / "model"
    shutil.copytree(run.folder, folder, ignore=shutil.ignore_patterns("training"))
    with started({"reverse": folder}, reload=True) as server:
        assert server.post("/predict", {"source": "abcd"}).json["text"]
        trained = TrainedModel.load(folder)
        trained.config = trained.config.updated({"search.max_length": 1})
        trained.save(folder)
        until(lambda: len(server.post("/predict", {"source": "abc"}).json["text"]) <= 1)
        (folder / "model.safetensors").write_bytes(b"damaged")  # the old one goes on
        time.sleep(1.2)
        assert server.post("/predict", {"source": "abc"}).status == 200


def test_names_of_models(tmp_path: Path) -> None:
    (tmp_path / "a=b").mkdir()
    found = named_models([str(tmp_path / "one"), f"two={tmp_path}", str(tmp_path / "a=b")])
    assert list(found) == ["one", "two", "a-b"]
    with pytest.raises(ConfigError, match="must differ"):
        named_models(["x=a", "x=b"])
    with pytest.raises(ConfigError, match="must be letters, digits"):
        named_models(["a/b=c"])
    with pytest.raises(ModelError):
        ModelShelf({"x": tmp_path / "nothing"})


def test_an_address_that_is_taken() -> None:
    with bound_socket("127.0.0.1", 0) as bound, pytest.raises(ConfigError, match="must be an addr"):
        bound_socket("127.0.0.1", bound.getsockname()[1])


def test_lines_of_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    told = {"method": "GET", "path": "/health", "status": 200}
    with logged("text"):
        ACCESS.info("request", extra={"told": told})
    with logged("json"):
        logging.getLogger("transduce.server").error("ValueError in %s", "here")
    with logged("off"):
        ACCESS.info("request", extra={"told": told})
    first, second = capsys.readouterr().err.splitlines()
    assert first.partition(" ")[2] == "GET /health 200"
    assert json.loads(second)["message"] == "ValueError in here"


def test_sigterm_ends_with_0(run: Run) -> None:
    command = [sys.executable, "-m", "transduce", "serve", str(run.folder), "--port", "0"]
    command += ["--log", "json"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=os.environ)
    assert process.stderr is not None
    said = process.stderr.readline()
    assert "serving run on http://127.0.0.1:" in said
    port = int(said.partition("127.0.0.1:")[2].split()[0])
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("POST", "/predict", BODY, {"content-type": "application/json"})
    assert json.loads(connection.getresponse().read())["text"] == "cba"
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
    rest = process.stderr.read()
    assert "Traceback" not in rest
    (line,) = [json.loads(own) for own in rest.splitlines() if own.startswith("{")]
    assert {**line, "time": 0, "seconds": 0} == {
        "time": 0, "level": "info", "method": "POST", "path": "/predict", "status": 200,
        "seconds": 0,
    }  # fmt: skip
    process.stderr.close()
    connection.close()


def test_a_server_that_never_began_stops(run: Run) -> None:
    bound = bound_socket("127.0.0.1", 0)
    Running(ModelShelf({"x": run.folder}), ServeConfig(), bound).stop()
    bound.close()
