"""Files are the old ones or the new ones, never half of one; what is no file stays what it is."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest

from transduce.files import replacing, write_bytes, write_text

POSIX = pytest.mark.skipif(os.name != "posix", reason="of systems with modes and links")


def _may_write_everywhere() -> bool:
    with tempfile.NamedTemporaryFile() as file:
        os.chmod(file.name, 0o444)
        return os.access(file.name, os.W_OK)


NOT_ROOT = pytest.mark.skipif(
    os.name != "posix" or _may_write_everywhere(), reason="root may write everywhere"
)


def test_replaces_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    write_text(path, "one\r\n")
    write_text(path, "zwei ü\n")
    assert path.read_bytes() == "zwei ü\n".encode()
    assert [file.name for file in tmp_path.iterdir()] == ["notes.txt"]


def test_an_error_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "notes.bin"
    write_bytes(path, b"old")

    def fail() -> None:
        with replacing(path) as aside:
            aside.write_bytes(b"ne")
            raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        fail()
    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["notes.bin"]


def test_the_old_file_stands_until_the_end(tmp_path: Path) -> None:
    path = tmp_path / "notes.bin"
    write_bytes(path, b"old")
    with replacing(path) as aside:
        aside.write_bytes(b"new")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"


def test_a_missing_folder_is_the_systems_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_text(tmp_path / "absent" / "notes.txt", "x")


# ---------------------------------------------------------------- what stands there


@POSIX
def test_of_a_link_the_target_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    (tmp_path / "far" / "real.json").write_text("old")
    (tmp_path / "link.json").symlink_to(Path("far") / "real.json")
    write_text(tmp_path / "link.json", "new")
    assert (tmp_path / "link.json").is_symlink()
    assert (tmp_path / "far" / "real.json").read_text() == "new"
    (tmp_path / "to nothing").symlink_to(tmp_path / "far" / "made")
    write_text(tmp_path / "to nothing", "made")
    assert (tmp_path / "far" / "made").read_text() == "made"
    (tmp_path / "round").symlink_to(tmp_path / "round")
    with pytest.raises(OSError, match="round") as caught:
        write_text(tmp_path / "round", "x")
    assert caught.value.errno == errno.ELOOP


@POSIX
def test_a_fifo_is_written_to(tmp_path: Path) -> None:
    fifo, got = tmp_path / "fifo", []
    os.mkfifo(fifo)
    reader = threading.Thread(target=lambda: got.append(fifo.read_bytes()))
    reader.start()
    write_bytes(fifo, b"through" * 20_000)
    reader.join()
    assert got == [b"through" * 20_000]
    assert stat.S_ISFIFO(fifo.stat().st_mode)
    assert [path.name for path in tmp_path.iterdir()] == ["fifo"]


@POSIX
def test_a_device_stays_one() -> None:
    write_text(os.devnull, "gone")
    assert stat.S_ISCHR(os.stat(os.devnull).st_mode)


@POSIX
@pytest.mark.parametrize("kind", ["file", "pipe"])
def test_standard_output_is_written_to_after_what_was_printed(tmp_path: Path, kind: str) -> None:
    program = (
        "from transduce.files import write_text\n"
        "print('one')\nwrite_text('/dev/stdout', 'two\\n')\nprint('three')"
    )
    command = [sys.executable, "-c", program]
    if kind == "file":
        with (tmp_path / "out").open("w") as output:
            subprocess.run(command, stdout=output, check=True)
        said = (tmp_path / "out").read_text()
    else:
        said = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    assert said == "one\ntwo\nthree\n"


@POSIX
@pytest.mark.parametrize("mode", [0o600, 0o664, 0o640])
def test_modes_stay(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "own.json"
    path.write_text("old")
    path.chmod(mode)
    write_text(path, "new")
    assert stat.S_IMODE(path.stat().st_mode) == mode

    def otherwise(aside: Path) -> None:  # as a library that makes files of its own
        aside.unlink()
        os.close(os.open(aside, os.O_CREAT | os.O_WRONLY, 0o400))

    with replacing(path) as aside:
        otherwise(aside)
    assert stat.S_IMODE(path.stat().st_mode) == mode


@POSIX
@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_a_new_file_has_the_mode_of_the_umask(tmp_path: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        write_text(tmp_path / "new", "x")
        with replacing(tmp_path / "other") as aside:
            aside.unlink()
            os.close(os.open(aside, os.O_CREAT | os.O_WRONLY, 0o600))
    finally:
        os.umask(before)
    for name in ("new", "other"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o666 & ~mask


# ---------------------------------------------------------------- what cannot be written


def test_a_folder_in_the_place_of_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").mkdir()
    with pytest.raises(IsADirectoryError) as caught:
        write_text(tmp_path / "file", "x")
    assert caught.value.filename == str(tmp_path / "file")


@NOT_ROOT
def test_what_is_write_protected_stays(tmp_path: Path) -> None:
    path = tmp_path / "kept"
    path.write_text("old")
    path.chmod(0o444)
    with pytest.raises(PermissionError) as caught:
        write_text(path, "new")
    assert caught.value.filename == str(path)
    assert path.read_text() == "old"


@NOT_ROOT
def test_a_file_in_a_folder_that_is_not_ours_is_written_to(tmp_path: Path) -> None:
    path = tmp_path / "theirs" / "file"
    path.parent.mkdir()
    path.write_text("old")
    path.parent.chmod(0o555)
    try:
        write_text(path, "new")
    finally:
        path.parent.chmod(0o755)
    assert path.read_text() == "new"


def test_an_error_without_a_name_gets_one(tmp_path: Path) -> None:
    """A write that finds the disk full says nothing of the file."""
    path = tmp_path / "notes"

    def full(name: str | None) -> None:
        with replacing(path) as aside:
            raise OSError(errno.ENOSPC, "No space left", *([str(aside)] if name else []))

    for name in (None, "aside"):
        with pytest.raises(OSError, match="No space left") as caught:
            full(name)
        assert caught.value.filename == str(path)

    def another() -> None:
        with replacing(path):
            (tmp_path / "absent").read_bytes()

    with pytest.raises(FileNotFoundError) as missing:
        another()
    assert missing.value.filename == str(tmp_path / "absent") or "absent" in str(missing.value)


def test_names_as_long_as_names_can_be(tmp_path: Path) -> None:
    for name in ("n" * 255, "ü" * 127):
        write_text(tmp_path / name, "x")
        assert (tmp_path / name).read_text() == "x"
    with pytest.raises(OSError, match="name too long") as caught:
        write_text(tmp_path / ("n" * 256), "x")
    assert caught.value.filename == str(tmp_path / ("n" * 256))


# ---------------------------------------------------------------- litter


@POSIX
def test_the_next_writer_removes_what_a_killed_one_left(tmp_path: Path) -> None:
    path = tmp_path / "notes"
    program = (
        "import os, signal, sys\nfrom transduce.files import replacing\n"
        "with replacing(sys.argv[1]) as aside:\n"
        "    aside.write_text('half')\n    os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", program, str(path)], check=False)
    assert len(list(tmp_path.iterdir())) == 1
    assert not path.exists()
    before = tmp_path / ".notes.999999999.part"  # as they were named before
    before.write_text("half")
    (tmp_path / ".notes.mine.part").write_text("of somebody else")
    write_text(path, "whole")
    assert {entry.name for entry in tmp_path.iterdir()} == {"notes", ".notes.mine.part"}


def test_what_a_living_one_writes_stays(tmp_path: Path) -> None:
    path = tmp_path / "notes"
    with replacing(path) as first:
        first.write_text("first")
        write_text(path, "second")
        assert path.read_text() == "second"
        assert first.read_text() == "first"
    assert path.read_text() == "first"
    assert [entry.name for entry in tmp_path.iterdir()] == ["notes"]
