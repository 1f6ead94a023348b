"""The fuzzer itself: each kind of failure is seen, repeated and made small."""

from __future__ import annotations

import ctypes
import json
import os
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from fuzz.harness import Files, Harness, WrongAnswerError, lay
from fuzz.running import worker
from fuzz.running.campaign import Campaign, quick
from fuzz.running.minimise import minimised
from fuzz.running.stored import read_input
from fuzz.running.worker import run_one
from transduce.errors import DataError, ModelError

_BAD = b"bad"


def harness(bad: Callable[[Path], object]) -> Harness:
    """A reader of one file that does something bad where this begins with ``bad``."""

    def feed(files: Files, folder: Path) -> object:
        lay(files, folder)
        if files["a"].startswith(_BAD):
            return bad(folder)
        if files["a"].startswith(b"no"):
            raise DataError("no")
        return len(files["a"])

    def mutate(chance: Random, data: bytes) -> bytes:
        return chance.choice([b"good", b"no", _BAD]) + chance.randbytes(20)

    return Harness("fake", lambda: [{"a": b"good"}], {"a": mutate}, feed, quick=10)


def kill(_: Path) -> None:
    ctypes.string_at(0)


def wait(_: Path) -> None:
    while True:
        pass


def sleep(_: Path) -> None:
    time.sleep(60)


def grow(_: Path) -> None:
    bytearray(os.urandom(1)) * (worker.BYTES + (64 << 20))


def demand(_: Path) -> None:
    bytearray(1 << 40)


def leave(_: Path) -> None:
    os._exit(0)


def escape(folder: Path) -> None:
    (folder.parent.parent / "outside").write_text("x")


def code(folder: Path) -> None:
    (folder / "evil_code.py").write_text("")
    sys.path.insert(0, str(folder))
    __import__("evil_code")


def network(_: Path) -> None:
    socket.create_connection(("localhost", 1))


def wrong(_: Path) -> None:
    raise WrongAnswerError("an answer from damaged weights")


def long_message(_: Path) -> None:
    error = ModelError("m")
    error.args = ("two\nlines",)
    raise error


@pytest.mark.parametrize(
    ("bad", "kind"),
    [
        (kill, "signal"),
        (wait, "time"),
        (sleep, "time"),
        (grow, "memory"),
        (demand, "exception"),
        (leave, "exception"),
        (escape, "escape"),
        (code, "escape"),
        (network, "escape"),
        (lambda _: input(), "escape"),
        (wrong, "answer"),
        (lambda _: [][1], "exception"),
        (long_message, "message"),
    ],
)
def test_each_kind_of_failure_is_seen(
    monkeypatch: pytest.MonkeyPatch, bad: Callable[[Path], object], kind: str
) -> None:
    if kind == "time":
        monkeypatch.setattr(worker, "SECONDS", 0.3)
        monkeypatch.setattr(worker, "_WAITING", 1.0)
    found = run_one(harness(bad), {"a": _BAD})
    monkeypatch.undo()
    assert found is not None
    assert found.kind == kind
    assert run_one(harness(bad), {"a": b"good"}) is None
    assert run_one(harness(bad), {"a": b"no"}) is None


def test_a_worker_that_dies_is_replaced() -> None:
    batch, failed = quick(harness(kill), range(30))
    assert batch.inputs == 30
    assert 0 < batch.refused < 30
    assert [failure.failure.kind for failure in failed] == ["signal"]  # all of them are alike
    assert failed[0].alone
    assert sum(batch.failures.values()) > 1
    again = quick(harness(kill), range(30))[1]
    assert [(failure.number, failure.files) for failure in again] == [
        (failed[0].number, failed[0].files)
    ]


def test_a_failing_input_is_made_small() -> None:
    def feed(files: Files, folder: Path) -> object:
        return json.loads(files.get("a", b"0"))["x"][3]

    content = {"a": 1, "x": [0, {"b": [1, 2, 3]}, 3], "z": {"long": ["text"] * 50}}
    one = Harness("fake", lambda: [{"a": b'{"x": [0, 1, 2, 3]}'}], {}, feed, quick=1)
    files = {"a": json.dumps(content).encode(), "b": b"unused"}
    failure = run_one(one, files)
    assert failure is not None
    assert "IndexError" in failure.what
    assert minimised(one, files, failure) == {"a": b'{"x": ""}'}


def test_a_campaign_keeps_what_it_found(tmp_path: Path) -> None:
    said: list[str] = []
    campaign = Campaign([harness(kill)], tmp_path, 1, said.append)
    campaign.run(600, 15)
    counts = json.loads((tmp_path / "counts.json").read_text())["fake"]
    assert counts["inputs"] == campaign.inputs["fake"] >= 15
    assert counts["failures"] > 0
    (path,) = (tmp_path / "failures").iterdir()
    name, files = read_input(path)
    assert (name, files) == ("fake", {"a": _BAD})
    assert run_one(harness(kill), files) is not None
    kept = [read_input(path)[1] for path in (tmp_path / "corpus" / "fake").iterdir()]
    assert any(files["a"].startswith(b"no") for files in kept)
    Campaign([harness(kill)], tmp_path, 2, said.append).run(600, 15)
    assert json.loads((tmp_path / "counts.json").read_text())["fake"]["inputs"] >= 30


def test_valid_inputs_have_to_be_answered() -> None:
    one = harness(kill)
    refusing = Harness("fake", lambda: [{"a": b"good"}, {"a": b"no"}], one.mutations, one.feed, 1)
    _, failed = quick(refusing, range(10))
    assert [(found.number, found.failure.kind) for found in failed] == [(-2, "answer")]
