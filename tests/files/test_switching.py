"""A whole folder in the place of another."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

import transduce.files.switch as switch_module
from transduce.errors import BusyError
from transduce.files import exchange, locked, switching


def fill(folder: Path, text: str) -> None:
    with switching(folder) as aside:
        (aside / "inner").mkdir()
        (aside / "inner" / "file").write_text(text)
        (aside / text).write_text(text)


def content(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_text() for path in files}


@pytest.mark.parametrize("exchanges", [True, False])
def test_new_empty_and_full_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exchanges: bool
) -> None:
    if not exchanges:
        monkeypatch.setattr(switch_module, "_exchanging", lambda: None)
    (tmp_path / "empty").mkdir()
    for name in ("new", "empty", "new", "deep/er"):
        fill(tmp_path / name, "one")
        assert content(tmp_path / name) == {"one": "one", "inner/file": "one"}
    fill(tmp_path / "new", "two")
    assert content(tmp_path / "new") == {"two": "two", "inner/file": "two"}
    assert {path.name for path in tmp_path.iterdir()} == {"new", "empty", "deep"}


def test_an_error_leaves_what_was_there(tmp_path: Path) -> None:
    fill(tmp_path / "old", "one")

    def fail(folder: Path) -> None:
        with switching(folder) as aside:
            (aside / "half").write_text("half")
            raise RuntimeError("half way")

    for name in ("old", "new"):
        with pytest.raises(RuntimeError, match="half way"):
            fail(tmp_path / name)
    assert content(tmp_path / "old") == {"one": "one", "inner/file": "one"}
    assert [path.name for path in tmp_path.iterdir()] == ["old"]


def test_a_kill_between_two_renames_is_mended(tmp_path: Path) -> None:
    """Where two names cannot be exchanged."""
    fill(tmp_path / "model", "one")
    (tmp_path / "model").rename(tmp_path / ".model.old.part")
    with switching(tmp_path / "model") as aside:
        assert content(tmp_path / "model") == {"one": "one", "inner/file": "one"}
        (aside / "two").write_text("two")
    assert content(tmp_path / "model") == {"two": "two"}
    fill(tmp_path / "model", "two")
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_another_writer_is_refused(tmp_path: Path) -> None:
    import threading

    errors = []

    def other() -> None:
        try:
            fill(tmp_path / "model", "two")
        except BusyError as error:
            errors.append(error)

    with switching(tmp_path / "model") as aside:
        (aside / "one").write_text("one")
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert len(errors) == 1
    assert content(tmp_path / "model") == {"one": "one"}
    with locked(tmp_path / "model"):
        pass


@pytest.mark.skipif(os.name != "posix", reason="of systems with links and modes")
def test_links_and_modes_stay(tmp_path: Path) -> None:
    fill(tmp_path / "real", "one")
    (tmp_path / "real").chmod(0o750)
    (tmp_path / "link").symlink_to("real")
    fill(tmp_path / "link", "two")
    assert (tmp_path / "link").is_symlink()
    assert content(tmp_path / "real") == {"two": "two", "inner/file": "two"}
    assert stat.S_IMODE((tmp_path / "real").stat().st_mode) == 0o750


def test_exchange(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a")
    (tmp_path / "b").write_text("b")
    if exchange(tmp_path / "a", tmp_path / "b"):
        assert (tmp_path / "a").read_text() == "b"
        assert (tmp_path / "b").read_text() == "a"
        with pytest.raises(FileNotFoundError):
            exchange(tmp_path / "a", tmp_path / "absent")
