"""Files of a folder that change as one: all old or all new, for whoever looks."""

from __future__ import annotations

import errno
import json
import os
import shutil
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

import transduce.files.change as change_module
from transduce.errors import BusyError
from transduce.files import SUMS, Sums, changing, digest, finish, is_free, place, read_as_one
from transduce.files.committed import COMMITTED, INCOMING, JOURNAL

POSIX = pytest.mark.skipif(os.name != "posix", reason="of systems with modes and links")


def write(folder: Path, files: dict[str, str], *removed: str) -> None:
    with changing(folder) as change:
        for name, text in files.items():
            change.write_text(name, text)
        for name in removed:
            change.remove(name)


def seen(folder: Path, names: tuple[str, ...] = ("a", "b", "inner/c")) -> dict[str, str]:
    """What a reader finds."""
    paths = {name: place(folder, name) for name in names}
    return {name: path.read_text() for name, path in paths.items() if path.is_file()}


def stop_before_home(monkeypatch: pytest.MonkeyPatch, files: int) -> None:
    """As a kill while files go to their places, after so many of them."""
    real, left = Path.replace, [files]

    def replace(self: Path, target: Path) -> Path:
        if self.parent.name == COMMITTED:
            left[0] -= 1
            if left[0] < 0:
                raise KeyboardInterrupt
        return real(self, target)

    monkeypatch.setattr(Path, "replace", replace)


def test_all_files_come_together(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "model"
    write(folder, {"a": "1", "b": "1", "inner/c": "1"})
    assert seen(folder) == {"a": "1", "b": "1", "inner/c": "1"}
    write(folder, {"a": "2", "inner/d": "2"}, "b", "absent")
    assert seen(folder, ("a", "b", "inner/c", "inner/d")) == {"a": "2", "inner/d": "2"}
    assert sorted(path.name for path in folder.iterdir()) == [SUMS, "a", "inner"]
    assert Sums.read(folder / SUMS) == {name: digest(folder / name) for name in ("a", "inner/d")}


def test_an_error_leaves_the_old_ones(tmp_path: Path) -> None:
    write(tmp_path / "old", {"a": "1", "b": "1"})

    def fail(folder: Path) -> None:
        with changing(folder) as change:
            change.write_text("a", "2")
            raise RuntimeError("half way")

    for name in ("old", "new"):
        with pytest.raises(RuntimeError, match="half way"):
            fail(tmp_path / name)
    assert seen(tmp_path / "old") == {"a": "1", "b": "1"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["old"]
    assert sorted(path.name for path in (tmp_path / "old").iterdir()) == [SUMS, "a", "b"]


def test_nothing_to_change(tmp_path: Path) -> None:
    write(tmp_path / "model", {"a": "1"})
    before = (tmp_path / "model" / "a").stat()
    write(tmp_path / "model", {}, "absent")
    assert (tmp_path / "model" / "a").stat() == before


def test_what_has_no_checksum_is_not_listed(tmp_path: Path) -> None:
    write(tmp_path, {"a": "1"})
    sums = (tmp_path / SUMS).read_bytes()
    with changing(tmp_path) as change:
        change.write_text("report", "1", summed=False)
    assert (tmp_path / SUMS).read_bytes() == sums
    with changing(tmp_path / "other") as change:
        change.write_text("report", "1", summed=False)
    assert [path.name for path in (tmp_path / "other").iterdir()] == ["report"]


@pytest.mark.parametrize("home", range(5))
def test_after_a_kill_on_the_way_home_it_is_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: int
) -> None:
    write(tmp_path, {"a": "1", "b": "1", "gone": "1", "inner/c": "1"})
    stop_before_home(monkeypatch, home)
    try:
        write(tmp_path, {"a": "2", "b": "2", "inner/c": "2"}, "gone")
    except KeyboardInterrupt:
        assert (tmp_path / COMMITTED).is_dir()
    monkeypatch.undo()
    new = {"a": "2", "b": "2", "inner/c": "2"}
    assert seen(tmp_path, ("a", "b", "inner/c", "gone")) == new
    assert place(tmp_path, SUMS).read_text().count("\n") == 3
    write(tmp_path, {"b": "3"})  # the next writer brings it home
    assert seen(tmp_path, ("a", "b", "inner/c", "gone")) == {**new, "b": "3"}
    assert sorted(path.name for path in tmp_path.iterdir()) == [SUMS, "a", "b", "inner"]
    assert set(Sums.read(tmp_path / SUMS) or ()) == set(new)


def test_what_a_killed_writer_left_before_goes(tmp_path: Path) -> None:
    write(tmp_path, {"a": "1"})
    (tmp_path / f"{INCOMING}999999999-0").mkdir()
    (tmp_path / f"{INCOMING}999999999-0" / "a").write_text("half")
    (tmp_path / ".published.999999999-3.part").mkdir()
    write(tmp_path, {"b": "1"})
    assert sorted(path.name for path in tmp_path.iterdir()) == [SUMS, "a", "b"]


def test_a_committed_folder_says_only_names_of_its_own(tmp_path: Path) -> None:
    """A directory from elsewhere cannot make a writer remove what is not in it."""
    (tmp_path / "kept").write_text("x")
    folder = tmp_path / "model"
    (folder / COMMITTED).mkdir(parents=True)
    journal = {"files": [], "removed": ["../kept", "/etc/passwd", ".."], "fresh": False}
    (folder / COMMITTED / JOURNAL).write_text(json.dumps(journal))
    (folder / COMMITTED / "a").write_text("2")
    finish(folder)
    assert (tmp_path / "kept").read_text() == "x"
    assert [path.name for path in folder.iterdir()] == ["a"]


def test_only_what_a_killed_first_writer_left_is_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert is_free(tmp_path / "absent")
    (tmp_path / "empty").mkdir()
    assert is_free(tmp_path / "empty")
    (tmp_path / "empty" / f"{INCOMING}1-1").mkdir()
    assert is_free(tmp_path / "empty")
    write(tmp_path / "old", {"a": "1"})
    assert not is_free(tmp_path / "old")
    stop_before_home(monkeypatch, 1)
    for name in ("old", "new"):
        with pytest.raises(KeyboardInterrupt):
            write(tmp_path / name, {"a": "2", "b": "2"})
    assert not is_free(tmp_path / "old")
    assert is_free(tmp_path / "new")
    (tmp_path / "new" / "of somebody").write_text("x")
    assert not is_free(tmp_path / "new")
    (tmp_path / "file").write_text("x")
    with pytest.raises(NotADirectoryError):
        is_free(tmp_path / "file")


# ---------------------------------------------------------------- readers


def test_a_reader_sees_no_mix(tmp_path: Path) -> None:
    """Of changes in the middle of its reading, at every place of it."""
    write(tmp_path, {"a": "1", "b": "1"})
    calls = []

    def read() -> dict[str, str]:
        found = {"a": place(tmp_path, "a").read_text()}
        calls.append(found)
        if len(calls) == 1:
            write(tmp_path, {"a": "2", "b": "2"})
        return found | {"b": place(tmp_path, "b").read_text()}

    assert read_as_one(tmp_path, read) == {"a": "2", "b": "2"}
    assert len(calls) == 2


def test_a_reader_follows_files_on_their_way_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_before_home(monkeypatch, 0)
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path, {"a": "1", "inner/c": "1"})
    monkeypatch.undo()
    calls = []

    def read() -> str:
        folder = place(tmp_path, "inner")
        calls.append(folder)
        if len(calls) == 1:
            finish(tmp_path)
        return (folder / "c").read_text()

    assert read_as_one(tmp_path, read) == "1"
    assert calls == [tmp_path / COMMITTED / "inner", tmp_path / "inner"]


def test_a_reader_of_what_never_stands_still_is_told(tmp_path: Path) -> None:
    write(tmp_path, {"a": "0"})
    count = iter(range(1, 1000))
    with pytest.raises(BusyError, match="must stay as it is while it is read"):
        read_as_one(tmp_path, lambda: write(tmp_path, {"a": str(next(count))}))


def test_an_error_of_the_reader_is_its_own(tmp_path: Path) -> None:
    write(tmp_path, {"a": "1"})
    calls = []

    def read() -> None:
        calls.append(1)
        raise FileNotFoundError("nothing")

    with pytest.raises(FileNotFoundError, match="nothing"):
        read_as_one(tmp_path, read)
    assert len(calls) == 1


def test_readers_beside_writers(tmp_path: Path) -> None:
    """Threads in both roles, for as many changes as there are."""
    write(tmp_path, {"a": "0", "b": "0", "inner/c": "0"})
    done = threading.Event()

    def work() -> None:
        for number in range(1, 40):
            write(tmp_path, dict.fromkeys(("a", "b", "inner/c"), str(number)))
        done.set()

    thread = threading.Thread(target=work)
    thread.start()
    found = []
    while not done.is_set():
        try:
            found.append(read_as_one(tmp_path, lambda: seen_all(tmp_path)))
        except BusyError:
            continue
    thread.join()
    assert all(len(set(texts.values())) == 1 for texts in found)


def seen_all(folder: Path) -> dict[str, str]:
    return {name: place(folder, name).read_text() for name in ("a", "b", "inner/c")}


def test_a_read_only_folder_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stop_before_home(monkeypatch, 1)
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "model", {"a": "1", "b": "1"})
    monkeypatch.undo()
    before = sorted(path for path in (tmp_path / "model").rglob("*"))
    assert read_as_one(tmp_path / "model", lambda: seen(tmp_path / "model")) == {"a": "1", "b": "1"}
    assert sorted(path for path in (tmp_path / "model").rglob("*")) == before


# ---------------------------------------------------------------- places


@POSIX
def test_links_stay_and_their_targets_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    far = tmp_path / "far"
    far.mkdir()
    (far / "a").write_text("1")
    (far / "inner").mkdir()
    (far / "inner" / "c").write_text("1")
    folder = tmp_path / "model"
    folder.mkdir()
    for name in ("a", "b", "inner"):
        (folder / name).symlink_to(far / name)
    write(folder, {"a": "2", "b": "2", "inner/c": "2"})
    assert all((folder / name).is_symlink() for name in ("a", "b", "inner"))
    assert seen(far) == {"a": "2", "b": "2", "inner/c": "2"}

    def elsewhere(method: Callable[..., Path]) -> Callable[..., Path]:
        def call(self: Path, target: Path) -> Path:
            if COMMITTED in self.parts and Path(target).parent == far:
                raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
            return method(self, target)

        return call

    monkeypatch.setattr(Path, "replace", elsewhere(Path.replace))  # as on another disk
    monkeypatch.setattr(Path, "rename", elsewhere(Path.rename))
    write(folder, {"a": "3", "b": "3", "inner/c": "3"})
    monkeypatch.undo()
    assert all((folder / name).is_symlink() for name in ("a", "b", "inner"))
    assert seen(far) == {"a": "3", "b": "3", "inner/c": "3"}
    assert {path.name for path in folder.iterdir()} == {"a", "b", "inner", SUMS}
    assert {path.name for path in far.iterdir()} == {"a", "b", "inner"}


@POSIX
def test_modes_are_the_old_ones_or_the_usual(tmp_path: Path) -> None:
    write(tmp_path, {"a": "1"})
    (tmp_path / "a").chmod(0o600)
    with changing(tmp_path) as change:
        change.write_text("a", "2")
        path = change.path("b")
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o400))  # as some libraries make theirs
    mask = os.umask(0)
    os.umask(mask)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes == {"a": 0o600, "b": 0o666 & ~mask, SUMS: 0o666 & ~mask}


@pytest.mark.parametrize(("place", "name"), [("a", "a"), ("inner", "inner/c")])
def test_what_cannot_go_to_its_place_is_said_before_anything_changes(
    tmp_path: Path, place: str, name: str
) -> None:
    write(tmp_path, {"b": "1"})
    if "/" in name:
        (tmp_path / place).write_text("a file")
    else:
        (tmp_path / place).mkdir()
    with pytest.raises(OSError, match="irectory") as caught:
        write(tmp_path, {name: "2", "b": "2"})
    assert caught.value.filename == str(tmp_path / place)
    assert (tmp_path / "b").read_text() == "1"


def test_errors_name_the_place_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left") as caught:
        write(tmp_path / "model", {"a": "1"})
    assert caught.value.filename == str(tmp_path / "model" / "a")
    monkeypatch.undo()
    monkeypatch.setattr(change_module, "sync_tree", full)
    with pytest.raises(OSError, match="No space left") as caught:
        write(tmp_path / "model", {"a": "1"})
    assert caught.value.filename == str(tmp_path / "model")
    (tmp_path / "file").write_text("x")
    with pytest.raises(OSError, match=r"xists|irectory") as caught:
        write(tmp_path / "file", {"a": "1"})
    assert caught.value.filename == str(tmp_path / "file")


def test_another_writer_is_refused(tmp_path: Path) -> None:
    errors = []

    def other() -> None:
        try:
            write(tmp_path, {"a": "2"})
        except BusyError as error:
            errors.append(str(error))

    with changing(tmp_path) as change:
        change.write_text("a", "1")
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert len(errors) == 1
    assert (tmp_path / "a").read_text() == "1"


def test_a_folder_that_is_gone_is_an_error(tmp_path: Path) -> None:
    folder = tmp_path / "model"

    def lose() -> None:
        with changing(folder) as change:
            change.write_text("a", "1")
            shutil.rmtree(folder)

    with pytest.raises(FileNotFoundError):
        lose()
