"""Checksums are those of sha256sum, and tell damage."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transduce.errors import ModelError
from transduce.files import SUMS, Sums, damaged, digest

NAMES = st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=20
)
DIGESTS = st.binary(max_size=4).map(lambda data: hashlib.sha256(data).hexdigest())


@given(st.dictionaries(NAMES, DIGESTS, max_size=5))
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, sums: dict[str, str]
) -> None:
    path = tmp_path_factory.mktemp("sums") / SUMS
    path.write_bytes(Sums(sums).to_text().encode())
    assert Sums.read(path) == sums


def test_lines_may_end_as_on_windows(tmp_path: Path) -> None:
    (tmp_path / SUMS).write_bytes(f"{'0' * 64}  a\r\n{'1' * 64} *b\r\n".encode())
    assert Sums.read(tmp_path / SUMS) == {"a": "0" * 64, "b": "1" * 64}


def test_no_file_is_no_sums(tmp_path: Path) -> None:
    assert Sums.read(tmp_path / SUMS) is None


def test_the_digest_is_that_of_the_whole_content(tmp_path: Path) -> None:
    content = bytes(range(256)) * 9000  # more than is read at once
    (tmp_path / "file").write_bytes(content)
    assert digest(tmp_path / "file") == hashlib.sha256(content).hexdigest()


def test_damage_is_found_by_name(tmp_path: Path) -> None:
    files = [(name, tmp_path / name) for name in ("a", "b", "unlisted")]
    for name, path in files:
        path.write_text(name)
    sums = Sums({name: digest(path) for name, path in files[:2]})
    assert damaged(sums, files) is None
    files[1][1].write_text("B")
    assert damaged(sums, files) == "b"
    files[0][1].unlink()
    assert damaged(sums, files) == "a"


@pytest.mark.parametrize("line", ["nonsense", "0" * 63 + "  a", "0" * 64 + " a", "0" * 64 + "  "])
def test_another_format_is_said_with_its_line(tmp_path: Path, line: str) -> None:
    (tmp_path / SUMS).write_text(f"# a comment\n\n{line}\n")
    with pytest.raises(ModelError, match=r"SHA256SUMS, line 3 must be one of sha256sum; got"):
        Sums.read(tmp_path / SUMS)
    (tmp_path / SUMS).write_bytes(b"\xff\xfe")
    with pytest.raises(ModelError, match="SHA256SUMS must hold lines of sha256sum"):
        Sums.read(tmp_path / SUMS)


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="needs the command")
def test_the_command_verifies_them(tmp_path: Path) -> None:
    names = ["plain.json", "in a folder/model.safetensors", "odd\\name", "two\nlines", "ünïcode"]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    sums = Sums({name: digest(tmp_path / name) for name in names})
    (tmp_path / SUMS).write_text(sums.to_text())
    command = ["sha256sum", "--strict", "-c", SUMS]
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode == 0
    theirs = subprocess.run(
        ["sha256sum", *names], cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout
    (tmp_path / "theirs").write_text(theirs)
    assert Sums.read(tmp_path / "theirs") == sums
    (tmp_path / names[0]).write_text("other")
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode == 1


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no FIFOs")
def test_what_never_ends_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path / "fifo", Path("/dev/zero"), tmp_path):
        with pytest.raises(OSError, match=r"regular|irectory"):
            digest(path)
        assert damaged({"x": "0" * 64}, [("x", path)]) == "x"
    os.mkfifo(tmp_path / SUMS)
    with pytest.raises(OSError, match="not a regular file"):
        Sums.read(tmp_path / SUMS)
    (tmp_path / "large").touch()
    os.truncate(tmp_path / "large", 17 << 20)
    with pytest.raises(OSError, match="too large"):
        Sums.read(tmp_path / "large")


def test_it_may_be_stopped(tmp_path: Path) -> None:
    (tmp_path / "large").touch()
    os.truncate(tmp_path / "large", 1 << 40)  # sparse: a day's work
    looks = iter([True, True, False, False])
    assert damaged({"x": "0" * 64}, [("x", tmp_path / "large")], lambda: next(looks)) is None
