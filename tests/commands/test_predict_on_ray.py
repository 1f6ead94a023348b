"""``predict --on ray``: workers, and the process that gives out blocks, are killed."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import transduce
from command_line import call
from reversal_run import Run, reversal_lines

Patch, Capture = pytest.MonkeyPatch, pytest.CaptureFixture[str]

pytest.importorskip("ray", reason="ray is not installed: pip install 'transduce[ray]'")
pytestmark = pytest.mark.skipif(not Path("/proc").is_dir(), reason="there is no /proc")

MARK = "TRANSDUCE_TEST_OF_RAY"  # in the environment of all that a test starts
PATIENCE = 240


@pytest.fixture
def marked(tmp_path: Path, monkeypatch: Patch) -> Iterator[str]:
    """The mark of this test, which ends what it has left."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(MARK, str(tmp_path))
    yield str(tmp_path)
    for process in processes(str(tmp_path)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


def processes(mark: str, title: bytes = b"") -> list[int]:
    """Others that were started with the mark, and have such a title."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal() or int(entry.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            marked = f"{MARK}={mark}".encode() in (entry / "environ").read_bytes().split(b"\0")
            if marked and (entry / "cmdline").read_bytes().startswith(title):
                found.append(int(entry.name))
    return found


def wait(until: Callable[[], object], process: subprocess.Popen[str]) -> None:
    """Until it is so; a process that ends before is a failure."""
    end = time.monotonic() + PATIENCE
    while not until():
        assert time.monotonic() < end
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)


def finished() -> int:
    path = Path("out/_blocks.jsonl")
    return path.read_bytes().count(b"\n") if path.exists() else 0


def test_a_worker_and_the_driver_are_killed(
    run: Run, marked: str, monkeypatch: Patch, capsys: Capture
) -> None:
    words = [line.partition("\t")[0] for line in reversal_lines(5, 300)]
    for number in range(3):
        own = words[number * 100 : number * 100 + 100]
        pq.write_table(pa.table({"source": own}), f"{number}.parquet")
    asked = ["predict", str(run.folder), "*.parquet", "--block", "2"]
    assert call(monkeypatch, *asked, "--output", "whole", "--on", "here") == 0
    command = [sys.executable, "-m", "transduce", *asked, "--output", "out", "--on", "ray"]
    package = str(Path(transduce.__file__).parent.parent)
    environment = {**os.environ, MARK: marked, "PYTHONPATH": package}
    driver = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    wait(lambda: finished() > 5, driver)
    workers = processes(marked, b"ray::MapWorker")
    os.kill(workers[0], signal.SIGKILL)
    seen = finished()
    wait(lambda: finished() > seen + 10, driver)
    driver.kill()
    driver.communicate()
    assert 16 < finished() < 150
    wait_for_the_end_of(marked)
    capsys.readouterr()
    # Ray takes long to start, and what is finished is the same wherever it was.
    assert call(monkeypatch, *asked, "--output", "out", "--on", "here") == 0
    said = capsys.readouterr().err.splitlines()
    assert said[0] == "300 records in 3 files"
    assert said[1].endswith("blocks are finished already")
    assert said[-1] == "300 records in 150 blocks: out"
    whole, out = (sorted(Path(name).glob("block-*")) for name in ("whole", "out"))
    assert [path.name for path in out] == [path.name for path in whole]
    assert [path.read_bytes() for path in out] == [path.read_bytes() for path in whole]
    assert pq.read_table("out")["id"].to_pylist() == list(range(300))
    assert {path.name for path in Path("out").iterdir()} - {path.name for path in out} == {
        "_blocks.jsonl",
        "_corpus.json",
    }


def wait_for_the_end_of(mark: str) -> None:
    """The cluster ends with the process that started it."""
    end = time.monotonic() + PATIENCE
    while processes(mark):
        assert time.monotonic() < end
        time.sleep(0.1)


def test_no_such_cluster(run: Run, marked: str, monkeypatch: Patch, capsys: Capture) -> None:
    Path("in.txt").write_text("ab\n")
    asked = ["predict", run.folder, "in.txt", "--output", "out", "--on", "ray://127.0.0.1:1"]
    assert call(monkeypatch, *asked) == 2
    assert capsys.readouterr().err.splitlines()[-1] == (
        "transduce: --on must be a Ray cluster that runs; got none at 127.0.0.1:1: "
        "[Errno 111] Connection refused"
    )
