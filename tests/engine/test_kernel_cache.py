"""What is in the cache is loaded only where it is this user's, closed to others and whole."""

from __future__ import annotations

import logging
import os
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from engine_kernels import kernels

from architectures import ARCHITECTURES, make_model
from transduce.engine import choice, choose_engine, fast_stepper
from transduce.errors import EngineError
from transduce.kernels import cache, compiler, library

CPU = torch.device("cpu")


class Machine:
    """An empty home, and a compiler that copies what a real one made, and counts."""

    def __init__(self, folder: Path, made: Path) -> None:
        self.made, self.calls = made, folder / "calls"
        self.cache, self.temporary = folder / "home" / "transduce", folder / "temporary"
        self.own = self.temporary / f"transduce-{os.geteuid()}"
        self.temporary.mkdir()
        self.script("for last; do :; done", f"cp {made} $last", f'echo "$*" >> {self.calls}')

    def script(self, *lines: str) -> None:
        self.compiler = self.temporary.parent / "compiler"
        self.compiler.write_text("\n".join(["#!/bin/sh", *lines, ""]))
        self.compiler.chmod(0o755)

    @property
    def compiled(self) -> int:
        return len(self.calls.read_text().splitlines()) if self.calls.exists() else 0

    def load(self) -> Path:
        """As a new process would."""
        library._load.cache_clear()
        return library.load_library().path


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Machine]:
    found = Machine(tmp_path, kernels().path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CXX", str(found.compiler))
    monkeypatch.setattr(tempfile, "tempdir", str(found.temporary))
    monkeypatch.delenv("TRANSDUCE_NATIVE", raising=False)
    library._load.cache_clear()
    choice._say_once.cache_clear()
    yield found
    library._load.cache_clear()
    choice._say_once.cache_clear()


class Lines:
    """What the log says from here on, but that the kernels are being compiled."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        self._caplog = caplog

    def take(self) -> list[str]:
        found = [text for text in self._caplog.messages if text != library.COMPILING]
        self._caplog.clear()
        return found


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Iterator[Lines]:
    with caplog.at_level(logging.WARNING, logger="transduce"):
        yield Lines(caplog)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_compiled_once_and_closed_to_others(machine: Machine) -> None:
    before = os.umask(0)
    try:
        path = machine.load()
        assert machine.load() == path
    finally:
        os.umask(before)
    assert machine.compiled == 1
    assert path.parent == machine.cache
    assert mode(machine.cache) == 0o700
    assert sorted(machine.cache.iterdir()) == [path, path.with_name(f"{path.name}.sha256")]
    assert {mode(file) for file in machine.cache.iterdir()} == {0o600}


def replace(path: Path, content: bytes) -> None:
    """Not in place: this process still runs what it loaded from there."""
    path.unlink()
    path.touch(0o600)
    path.write_bytes(content)


def cut(path: Path) -> None:
    replace(path, path.read_bytes()[: path.stat().st_size // 2])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 1
    replace(path, bytes(content))


def lose_digest(path: Path) -> None:
    path.with_name(f"{path.name}.sha256").unlink()


def open_to_others(path: Path) -> None:
    path.chmod(0o666)


def open_digest(path: Path) -> None:
    path.with_name(f"{path.name}.sha256").chmod(0o602)


def link(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def folder(path: Path) -> None:
    lose_digest(path)
    (path.with_name(f"{path.name}.sha256")).mkdir()


def give_away(path: Path) -> None:
    if os.geteuid():
        pytest.skip("only root can give files away")
    os.chown(path, 65534, 65534)


HARMS = [cut, flip, lose_digest, open_to_others, open_digest, link, pipe, give_away]


@pytest.mark.parametrize("harm", HARMS)
def test_what_is_not_ours_and_whole_is_compiled_anew(machine: Machine, harm: object) -> None:
    path = machine.load()
    harm(path)  # type: ignore[operator]
    assert machine.load() == path
    assert machine.compiled == 2
    assert path.read_bytes() == machine.made.read_bytes()
    assert not path.is_symlink()
    machine.load()
    assert machine.compiled == 2


def test_a_digest_that_cannot_be_written(machine: Machine, lines: Lines) -> None:
    folder(machine.load())
    assert machine.load().parent == machine.own
    assert "native kernels cannot be written" in lines.take()[0]


def test_litter_of_killed_runs_is_cleared(machine: Machine) -> None:
    machine.cache.mkdir(parents=True)
    old, young = machine.cache / ".engine.old.part", machine.cache / ".engine.young.part"
    for file in (old, young):
        file.touch()
    os.utime(old, (0, time.time() - 7200))
    machine.load()
    assert not old.exists()
    assert young.exists()


@pytest.mark.parametrize("permissions", [0o777, 0o702, 0o770])
def test_a_folder_that_others_may_write_is_not_trusted(
    machine: Machine, lines: Lines, permissions: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "_is_private_group", lambda number: False)
    machine.load()
    machine.cache.chmod(permissions)
    path = machine.load()
    assert path.parent == machine.own
    assert mode(machine.own) == 0o700
    assert lines.take() == [
        f"{machine.cache}: native kernels must be where only this user may write; got mode "
        f"{permissions:o} (chmod go-w); they are kept in {machine.own}"
    ]
    assert machine.load() == path
    assert machine.compiled == 2


def test_a_group_of_one_is_nobody_else(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    path = machine.load()
    machine.cache.chmod(0o770)
    monkeypatch.setattr(cache, "_is_private_group", lambda number: True)
    assert machine.load() == path
    assert machine.compiled == 1


def test_groups_of_several_or_of_another_name(monkeypatch: pytest.MonkeyPatch) -> None:
    import grp
    import pwd

    me = pwd.struct_passwd(("me", "x", 7, 8, "", "/", ""))
    monkeypatch.setattr(pwd, "getpwuid", lambda number: me)

    def private(name: str, members: list[str], number: int = 8) -> bool:
        group = grp.struct_group((name, "x", 8, members))
        monkeypatch.setattr(grp, "getgrgid", lambda _: group)
        return cache._is_private_group(number)

    assert private("me", [])
    assert private("me", ["me"])
    assert not private("me", ["me", "you"])
    assert not private("users", [])
    assert not private("me", [], number=9)

    def unknown(number: int) -> None:
        raise KeyError(number)

    monkeypatch.setattr(pwd, "getpwuid", unknown)  # a user without a name
    assert not private("me", [])


def test_a_folder_above_that_others_may_write(machine: Machine, lines: Lines) -> None:
    home = machine.cache.parent
    home.mkdir()
    home.chmod(0o777)
    assert machine.load().parent == machine.own
    assert f"others may write in {home}" in lines.take()[0]
    home.chmod(0o1777)  # where nobody can rename what is another's
    assert machine.load().parent == machine.cache


def test_a_folder_of_another_user(machine: Machine, lines: Lines) -> None:
    if os.geteuid():
        pytest.skip("only root can give folders away")
    machine.cache.mkdir(parents=True)
    os.chown(machine.cache, 65534, 65534)
    assert machine.load().parent == machine.own
    assert "must be in a folder of this user's own" in lines.take()[0]


def test_a_user_without_a_home(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", homeless)
    monkeypatch.setenv("XDG_CACHE_HOME", "not/absolute")
    assert machine.load().parent == machine.own


def predicts(lines: Lines) -> str:
    """Whether the model itself predicts, and the one line that says why."""
    model = make_model(ARCHITECTURES["gru-general"])
    library._load.cache_clear()
    assert fast_stepper(model) is model
    assert fast_stepper(model) is model
    [line] = lines.take()
    prefix = "predictions run without native kernels: "
    assert line.startswith(prefix)
    return line.removeprefix(prefix)


def test_where_nothing_can_be_kept(
    machine: Machine, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.own.touch()
    machine.cache.parent.touch()
    assert predicts(lines) == (
        f"{machine.cache}: native kernels cannot be written (Not a directory); "
        f"{machine.own}: native kernels cannot be written (Not a directory)"
    )
    with pytest.raises(EngineError, match="cannot be written"):
        choose_engine("int8", CPU)
    choice._say_once.cache_clear()

    def none() -> str:
        raise FileNotFoundError("No usable temporary directory found")

    monkeypatch.setattr(tempfile, "gettempdir", none)
    assert predicts(lines).startswith(f"{machine.cache}: ")


def test_a_full_disk(machine: Machine, lines: Lines, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert "native kernels cannot be written (No space left on device)" in predicts(lines)
    assert not [*machine.cache.iterdir(), *machine.own.iterdir()]


def test_what_is_no_library(machine: Machine, lines: Lines) -> None:
    machine.script("for last; do :; done", "echo nothing > $last")
    assert "native kernels cannot be loaded" in predicts(lines)


@pytest.mark.parametrize("value", ["'g++", 'c++ "', "g++ \\"])
@pytest.mark.parametrize("variable", ["CXX", "TRANSDUCE_CXXFLAGS"])
def test_a_command_that_no_shell_reads(
    machine: Machine,
    lines: Lines,
    variable: str,
    value: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(variable, value)
    said = predicts(lines)
    assert said.startswith(f"{variable} must be a command line that a shell can read; got ")
    assert "\n" not in said


def test_an_empty_name_is_none(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "  ")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(EngineError, match="need a C\\+\\+ compiler"):
        machine.load()


def test_more_flags_make_another_library(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = machine.load()
    monkeypatch.setenv("TRANSDUCE_CXXFLAGS", "-g '-DNAME=a b'")
    assert machine.load() != plain
    assert "-w -g -DNAME=a b" in machine.calls.read_text().splitlines()[1]


def test_a_compiler_that_speaks_no_utf8(machine: Machine, lines: Lines) -> None:
    machine.script("printf 'what\\377ever' >&2", "exit 1")
    assert "what\N{REPLACEMENT CHARACTER}ever" in predicts(lines)


def test_the_line_that_says_what_is_wrong(machine: Machine, lines: Lines) -> None:
    said = ["In file included from a.h:13,", "ld: final link failed: No space left on device"]
    machine.script(*(f"echo '{line}' >&2" for line in said), "exit 1")
    assert predicts(lines).endswith("compiler: ld: final link failed: No space left on device")


def test_without_the_sources(
    machine: Machine, lines: Lines, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(compiler, "_SOURCES", tmp_path / "none")
    assert "native sources cannot be read" in predicts(lines)


def test_a_compiler_that_asks(machine: Machine) -> None:
    machine.script("read answer && exit 1", "for last; do :; done", f"cp {machine.made} $last")
    assert machine.load().is_file()
