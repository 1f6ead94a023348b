"""Files are the old ones or the new ones, never half of one."""

from __future__ import annotations

from pathlib import Path

import pytest

from transduce.files import replacing, write_bytes, write_text


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
