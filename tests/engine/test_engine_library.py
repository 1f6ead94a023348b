"""What happens where the kernels cannot be had."""

from __future__ import annotations

import logging
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from architectures import ARCHITECTURES, make_model
from transduce.engine import choice, choose_engine, fast_stepper
from transduce.errors import EngineError
from transduce.kernels import compiler, library

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _afresh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """An empty cache, on disk and in memory; what was loaded before comes back afterwards."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("TRANSDUCE_NATIVE", raising=False)
    library._load.cache_clear()
    choice._say_once.cache_clear()
    yield
    library._load.cache_clear()
    choice._say_once.cache_clear()


def test_without_a_compiler_the_model_itself_predicts(monkeypatch, caplog):
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", "")
    model = make_model(ARCHITECTURES["gru-general"])
    with caplog.at_level(logging.WARNING, logger="transduce"):
        assert fast_stepper(model) is model
        assert fast_stepper(model) is model
    assert [record.getMessage() for record in caplog.records] == [
        "predictions run without native kernels: native kernels need a C++ compiler "
        "(g++ or clang++); found none"
    ]
    with pytest.raises(EngineError, match="need a C\\+\\+ compiler"):
        fast_stepper(model, "int8")


def test_kernels_can_be_turned_off(monkeypatch):
    monkeypatch.setenv("TRANSDUCE_NATIVE", "0")
    assert choose_engine("auto", CPU).number is None
    with pytest.raises(EngineError, match="turned off by TRANSDUCE_NATIVE=0"):
        choose_engine("float32", CPU)


def test_a_compiler_that_fails_is_asked_once(monkeypatch, tmp_path):
    calls, broken = tmp_path / "calls", tmp_path / "broken"
    broken.write_text(f"#!/bin/sh\necho call >> {calls}\necho no such header >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("CXX", str(broken))
    for _ in range(3):
        with pytest.raises(EngineError, match=r"could not be compiled by .*: no such header"):
            choose_engine("int8", CPU)
    assert len(calls.read_text().splitlines()) == 2  # for this processor, and for any
    assert not list((tmp_path / "cache" / "transduce").iterdir())


def _slow(monkeypatch: pytest.MonkeyPatch, folder: Path, ends: str) -> None:
    script = folder / "slow"
    script.write_text(f"#!/bin/sh\n{ends}\n")
    script.chmod(0o755)
    monkeypatch.setenv("CXX", str(script))
    monkeypatch.setattr(compiler, "_LOOK", 0.01)


def test_a_compiler_that_takes_long_is_waited_for(monkeypatch, tmp_path, caplog):
    _slow(
        monkeypatch, tmp_path, f"sleep 0.1; touch {tmp_path}/ended; echo no such file >&2; exit 1"
    )
    with (
        caplog.at_level(logging.WARNING, logger="transduce"),
        pytest.raises(EngineError, match=r"could not be compiled by .*: no such file"),
    ):
        choose_engine("int8", CPU)
    assert (tmp_path / "ended").exists()
    assert "native kernels are still being compiled" in caplog.text


def test_a_compiler_that_does_not_end_is_ended_with_its_children(monkeypatch, tmp_path):
    child, ended = tmp_path / "child", compiler._ended

    def once_there_is_a_child(process: subprocess.Popen[str]) -> tuple[str, str]:
        _until(lambda: child.is_file() and child.read_text().endswith("\n"))
        return ended(process)

    monkeypatch.setattr(compiler, "_MOST", 0.03)
    monkeypatch.setattr(compiler, "_ended", once_there_is_a_child)
    _slow(monkeypatch, tmp_path, f"sleep 999 & echo $! >{child}; wait")
    with pytest.raises(EngineError, match=r"the compiler had not ended after 0\.0005 minutes"):
        choose_engine("int8", CPU)
    _until(lambda: not _runs(int(child.read_text())))


def _until(happened: Callable[[], bool]) -> None:
    for _ in range(6000):
        if happened():
            return
        time.sleep(0.01)
    raise AssertionError("it never happened")


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
        return ") Z " not in Path(f"/proc/{process}/stat").read_text()  # nobody may have waited
    except (ProcessLookupError, FileNotFoundError):
        return False


def test_a_compiler_that_is_not_there_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("CXX", str(tmp_path / "missing"))
    with pytest.raises(EngineError, match=r"could not be compiled: .*missing"):
        choose_engine("int8", CPU)


def test_a_cache_that_cannot_be_written_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("CXX", "c++")
    (tmp_path / "cache").write_text("a file")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "cache"))  # nor is there another place
    with pytest.raises(EngineError, match=r"cache.*native kernels cannot be written"):
        choose_engine("int8", CPU)


def test_named_numbers_need_the_cpu():
    assert choose_engine("auto", torch.device("cuda")).number is None
    with pytest.raises(EngineError, match="engine must be auto or reference on cuda; got int8"):
        choose_engine("int8", torch.device("cuda"))


def test_a_person_is_told_once_that_kernels_are_compiled(monkeypatch, tmp_path, caplog):
    monkeypatch.setattr(compiler.Compiler, "compile", lambda self, out: out.write_bytes(b"kernels"))
    tmp_path.chmod(0o700)
    found = compiler.find_compiler(None)
    with caplog.at_level(logging.WARNING, logger="transduce"):
        for _ in range(2):
            library._ensure_compiled(found, tmp_path / "engine.so")
    assert [record.getMessage() for record in caplog.records] == [
        "native kernels are compiled for this machine, once; this may take a minute"
    ]
