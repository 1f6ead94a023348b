"""A file that grows by whole blocks."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from transduce.files import append_block


def test_what_stands_behind_the_length_goes(tmp_path: Path) -> None:
    path = tmp_path / "f"
    assert append_block(path, 0, b"one\n") == 4
    path.write_bytes(b"one\ntw")
    assert append_block(path, 4, b"two\n") == 8
    assert path.read_bytes() == b"one\ntwo\n"


def test_a_block_that_does_not_fit_leaves_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "f"
    append_block(path, 0, b"one\n")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left on device") as raised:
        append_block(path, 4, b"two\n")
    assert raised.value.filename == str(path)
    assert path.read_bytes() == b"one\n"


def test_a_file_that_lost_its_end_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"on")
    with pytest.raises(OSError, match="shorter"):
        append_block(path, 4, b"two\n")
    assert path.read_bytes() == b"on"
