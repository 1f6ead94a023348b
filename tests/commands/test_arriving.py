"""Sources that another program writes one by one are answered as they arrive."""

from __future__ import annotations

import io
import os
import select
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from reversal_run import Run
from transduce.commands.predicting.arriving import NotedSources, from_a_pipe
from transduce.errors import DataError
from transduce.workflow.predicting.source_rows import read_ahead


def test_what_has_arrived_is_a_window_of_its_own() -> None:
    more = threading.Event()

    def sources() -> Iterator[str | DataError]:
        yield "a"
        yield DataError("bad", line=2)
        more.wait()
        yield "b"

    noted = NotedSources(sources(), waiting=True)
    first = read_ahead(noted, 4096)
    assert first[0] == "a"
    assert isinstance(first[1], DataError)
    assert len(first) == 2
    assert noted.pausing()
    more.set()
    assert read_ahead(noted, 4096) == ["b"]
    assert read_ahead(noted, 4096) == []
    assert not noted.pausing()
    assert list(noted.names) == ["a", None, "b"]
    assert noted.failure is None


@pytest.mark.parametrize("waiting", [True, False])
def test_a_file_that_breaks_off_ends_the_sources(waiting: bool) -> None:
    def sources() -> Iterator[str]:
        yield "a"
        raise DataError("cut off")

    noted = NotedSources(sources(), waiting=waiting)
    assert list(noted) == ["a"]
    assert str(noted.failure) == "cut off"


@pytest.mark.parametrize("waiting", [True, False])
def test_other_errors_are_raised_where_sources_are_used(waiting: bool) -> None:
    def sources() -> Iterator[str]:
        yield "a"
        raise MemoryError

    noted = NotedSources(sources(), waiting=waiting)
    assert next(noted) == "a"
    with pytest.raises(MemoryError):
        next(noted)


def test_a_window_is_full_where_all_is_there() -> None:
    noted = NotedSources(iter(map(str, range(1000))), waiting=True)
    assert len(read_ahead(noted, 300)) == 300


def test_standard_input_may_be_no_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"a\n")))
    assert not from_a_pipe(["-"])
    read, write = os.pipe()
    os.close(write)
    with open(read) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        assert from_a_pipe(["-"])
        assert not from_a_pipe(["words.txt"])


def test_another_program_can_talk_to_it(run: Run) -> None:
    command = [sys.executable, "-m", "transduce", "predict", str(run.folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for source, output in ((b"abc\n", b"cba\n"), (b"ab\n", b"ba\n")):
            process.stdin.write(source)
            process.stdin.flush()
            assert select.select([process.stdout], [], [], 120)[0], "no answer while it waits"
            assert process.stdout.readline() == output
        process.stdin.close()
        assert process.wait() == 0
