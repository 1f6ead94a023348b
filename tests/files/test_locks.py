"""One writer a folder: others are refused at once, and nothing is left behind."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import transduce.files.lock as lock_module
from transduce.errors import BusyError
from transduce.files import locked

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="there are no such locks")

TRY = (
    "import sys\nfrom pathlib import Path\nfrom transduce.files import locked\n"
    "from transduce.errors import BusyError\n"
    "try:\n    with locked(Path(sys.argv[1])): print('mine')\n"
    "except BusyError as error: print(error)"
)


def elsewhere(folder: Path) -> str:
    """What another process gets."""
    command = [sys.executable, "-c", TRY, str(folder)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@POSIX
def test_another_process_is_refused_in_a_line(tmp_path: Path) -> None:
    with locked(tmp_path) as alone:
        said = elsewhere(tmp_path)
        assert alone
    assert said.startswith(f"{tmp_path} must be written by one at a time; another process is")
    assert said.count("\n") == 1
    assert elsewhere(tmp_path) == "mine\n"
    assert list(tmp_path.iterdir()) == []


def test_the_same_thread_may_take_it_again(tmp_path: Path) -> None:
    with locked(tmp_path):
        with locked(tmp_path):
            pass
        assert not took_it(tmp_path)
    assert took_it(tmp_path)


def took_it(folder: Path) -> bool:
    """Whether another thread of this process gets the lock."""
    found = []

    def take() -> None:
        try:
            with locked(folder):
                found.append(True)
        except BusyError:
            found.append(False)

    thread = threading.Thread(target=take)
    thread.start()
    thread.join()
    return found[0]


@POSIX
def test_a_fork_neither_holds_nor_loses_it(tmp_path: Path) -> None:
    with locked(tmp_path):
        if (child := os.fork()) == 0:
            try:
                with locked(tmp_path):
                    os._exit(1)
            except BusyError:
                os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert elsewhere(tmp_path) != "mine\n"


@POSIX
def test_a_fork_that_lives_on_does_not_keep_it(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    with locked(tmp_path):
        if (child := os.fork()) == 0:
            os.close(writing)
            os.read(reading, 1)  # until the parent is done
            os._exit(0)
    assert elsewhere(tmp_path) == "mine\n"
    os.close(writing)
    os.waitpid(child, 0)
    os.close(reading)


@POSIX
def test_a_folder_that_took_its_place_is_another(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    with locked(folder):
        folder.rename(tmp_path / "gone")
        folder.mkdir()
        assert took_it(folder)
        assert not took_it(tmp_path / "gone")


@POSIX
def test_links_lead_to_the_same_lock(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "link").symlink_to("model")
    with locked(tmp_path / "link"):
        assert not took_it(tmp_path / "model")


@POSIX
def test_a_file_system_without_locks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def none(descriptor: int, operation: int) -> None:
        raise OSError(95, "Operation not supported")

    caplog.set_level("INFO")
    monkeypatch.setattr(lock_module.fcntl, "flock", none)
    with locked(tmp_path) as alone:
        assert not alone
        assert not took_it(tmp_path)  # threads still see each other
    assert "written without a lock: Operation not supported" in caplog.text


def test_a_missing_folder_is_the_systems_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), locked(tmp_path / "absent"):
        pass
