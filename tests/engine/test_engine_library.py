"""What happens where the kernels cannot be had."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from architectures import ARCHITECTURES, make_model
from transduce.engine import choice, choose_engine, fast_stepper
from transduce.errors import EngineError
from transduce.kernels import library

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
    calls, compiler = tmp_path / "calls", tmp_path / "broken"
    compiler.write_text(f"#!/bin/sh\necho call >> {calls}\necho no such header >&2\nexit 1\n")
    compiler.chmod(0o755)
    monkeypatch.setenv("CXX", str(compiler))
    for _ in range(3):
        with pytest.raises(EngineError, match=r"could not be compiled by .*: no such header"):
            choose_engine("int8", CPU)
    assert len(calls.read_text().splitlines()) == 2  # for this processor, and for any
    assert not list((tmp_path / "cache" / "transduce").iterdir())


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
    from transduce.kernels import library
    from transduce.kernels.compiler import Compiler

    monkeypatch.setattr(Compiler, "compile", lambda self, out: out.write_bytes(b"kernels"))
    tmp_path.chmod(0o700)
    compiler = library.find_compiler(None)
    with caplog.at_level(logging.WARNING, logger="transduce"):
        for _ in range(2):
            library._ensure_compiled(compiler, tmp_path / "engine.so")
    assert [record.getMessage() for record in caplog.records] == [
        "native kernels are compiled for this machine, once; this may take a minute"
    ]
