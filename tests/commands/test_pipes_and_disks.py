"""What a shell or a disk does to a command: statuses as usual, one line, the file by name."""

from __future__ import annotations

import os
import random
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from forked import forked
from reversal_run import Run
from transduce import __version__
from transduce.files import SUMS, Sums, damaged, locked
from transduce.workflow.trained import TrainedModel

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no forks")


@pytest.fixture(autouse=True)
def _reference_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRANSDUCE_NATIVE", "0")  # a fork must not need threads that stayed behind


def commands(run: Run, home: Path) -> dict[str, list[object]]:
    few = home / "few.tsv"
    few.write_text("abc\tcba\nda\tad\n")
    (home / "twin").symlink_to(run.folder)
    data = [f"data.train={few}", f"data.dev={few}", "training.max_steps=1"]
    return {
        "predict": ["predict", run.folder],
        "evaluate": ["evaluate", run.folder, few],
        "compare": ["compare", run.folder, home / "twin", "--data", few],
        "show": ["show", run.folder],
        "engine": ["show", run.folder, "--engine"],
        "check": ["check", few],
        "train": ["train", run.recipe, *data, "--output", home / "new"],
        "help": ["--help"],
        "help of one": ["predict", "--help"],
        "version": ["--version"],
    }


COMMANDS = [
    "predict", "evaluate", "compare", "show", "engine", "check", "train", "help", "help of one",
    "version",
]  # fmt: skip


@pytest.mark.parametrize("name", COMMANDS)
def test_a_broken_pipe_ends_with_the_status_of_its_signal(
    run: Run, tmp_path: Path, name: str
) -> None:
    ended = forked(*commands(run, tmp_path)[name], stdin="abc\n" * 3, stdout="broken")
    assert ended == (141, "", ended.err)
    assert "Traceback" not in ended.err
    if name == "train":  # all was written before anything was said
        TrainedModel.load(tmp_path / "new")


@pytest.mark.parametrize("name", COMMANDS)
def test_a_closed_standard_output_is_one_line(run: Run, tmp_path: Path, name: str) -> None:
    ended = forked(*commands(run, tmp_path)[name], stdin="abc\n", stdout=None)
    assert ended.status == 2
    assert ended.err.splitlines()[-1] == "transduce: standard output: Bad file descriptor"
    assert "Traceback" not in ended.err


def test_a_closed_standard_input(run: Run, tmp_path: Path) -> None:
    ended = forked("predict", run.folder, stdin=None)
    assert ended == (
        2,
        "",
        "transduce: standard input: file must be readable; got: Bad file descriptor\n",
    )
    (tmp_path / "in.txt").write_text("abc\n")
    assert forked("predict", run.folder, tmp_path / "in.txt", stdin=None) == (0, "cba\n", "")


def test_no_file_of_ours_gets_the_number_of_a_closed_stream(run: Run, tmp_path: Path) -> None:
    """Else what is printed would go into it."""
    ended = forked(
        "evaluate", run.folder, commands(run, tmp_path)["check"][1], "--json", tmp_path / "scores",
        stdout=None,
    )  # fmt: skip
    assert ended.status == 2
    assert (tmp_path / "scores").read_text().startswith("{")


def test_a_full_device_is_named(run: Run) -> None:
    if not os.path.exists("/dev/full"):
        pytest.skip("there is no /dev/full")

    def full() -> None:
        sys.stdout.flush()
        os.dup2(os.open("/dev/full", os.O_WRONLY), 1)

    ended = forked("show", run.folder, before=full)
    assert (ended.status, ended.err) == (
        2, "transduce: standard output: No space left on device\n"
    )  # fmt: skip
    ended = forked("predict", run.folder, "--output", "/dev/full", stdin="abc\n")
    assert ended.status == 2
    assert (
        ended.err
        == "transduce: /dev/full: --output must be writable; got No space left on device\n"
    )


@pytest.mark.parametrize("flags", [[], ["-u"]])
def test_with_and_without_buffers(flags: list[str], tmp_path: Path) -> None:
    """As a shell starts it: ``python -u`` keeps nothing back that could fail once more."""
    command = [sys.executable, *flags, "-m", "transduce", "--version"]
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONUNBUFFERED"}

    def run(shell: str) -> tuple[int, str]:
        done = subprocess.run(
            ["sh", "-c", f'"$@" {shell}', "sh", *command],
            env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        return done.returncode, done.stderr

    if os.path.exists("/dev/full"):
        said = "transduce: standard output: No space left on device\n"
        assert run(">/dev/full") == (2, said)
    assert run(">&-") == (2, "transduce: standard output: Bad file descriptor\n")
    assert run(">&- 2>&- <&-") == (2, "")
    assert run(f"2>&- >{tmp_path}/out") == (0, "")
    assert (tmp_path / "out").read_text() == f"transduce {__version__}\n"


# ---------------------------------------------------------------- disks


def at_most(size: int) -> Callable[[], None]:
    """No file may be larger: as on a full disk, at a place of our choice."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def test_saving_where_nothing_fits_names_the_file(run: Run, tmp_path: Path) -> None:
    old = tmp_path / "old"
    TrainedModel.load(run.folder).save(old)
    before = {path: path.read_bytes() for path in old.iterdir()}
    for size in (10, 700, 3000, 12_000):
        for place in (old, tmp_path / "new"):
            ended = forked(
                "predict", "none", before=lambda size=size, place=place: save(run, place, size)
            )
            assert ended.status == 1, ended
            [said] = [line for line in ended.err.splitlines() if "File too large" in line]
            assert f"'{place}" in said
            assert {path: path.read_bytes() for path in old.iterdir()} == before
            assert not (tmp_path / "new").exists()


def save(run: Run, place: Path, size: int) -> None:
    trained = TrainedModel.load(run.folder)
    at_most(size)()
    trained.save(place)


def test_a_run_whose_disk_fills_up_says_what_and_where(run: Run, tmp_path: Path) -> None:
    few = tmp_path / "few.tsv"
    few.write_text("".join(f"{'abcd'[n % 4]}{'dcba'[n % 3]}\t{n}\n" for n in range(40)))
    arguments = ["train", run.recipe, f"data.train={few}", f"data.dev={few}"]
    options = ["training.max_steps=2", "training.evaluate_every=1"]
    for size in (10, 700, 3000, 20_000):
        output = tmp_path / str(size)
        ended = forked(*arguments, *options, "--output", output, before=at_most(size))
        last = ended.err.splitlines()[-1]
        assert ended.status == 2, ended.err
        assert last.startswith(f"transduce: {output}"), last
        assert "File too large" in last
        again = forked(*arguments, *options, "--output", output, "--resume")
        assert again.status == 0, again.err
        sums = Sums.read(output / SUMS)
        assert damaged(sums, [(name, output / name) for name in sums]) is None


def test_scores_that_cannot_be_kept_are_only_said(run: Run, tmp_path: Path) -> None:
    model, test = tmp_path / "model", tmp_path / "test.tsv"
    TrainedModel.load(run.folder).save(model)
    test.write_text("dddddd\tdddddd\n")  # no pair of training
    config = model / "config.yaml"
    lines = config.read_text().replace(str(run.test), str(test))
    config.write_text(lines)
    with locked(model):
        ended = forked("evaluate", model)
    assert ended.status == 0
    assert ended.err == f"scores not kept in {model}: another process writes there\n"
    assert forked("evaluate", model).err == ""


# ---------------------------------------------------------------- two at once


def test_of_two_trainings_one_is_refused_at_once(run: Run, tmp_path: Path) -> None:
    output = tmp_path / "run"
    output.mkdir()
    few = tmp_path / "few.tsv"
    chance = random.Random(1)
    few.write_text("".join(f"{w}\t{w[::-1]}\n" for w in (chance.choices("abcd", k=40))))
    arguments = ["train", run.recipe, f"data.train={few}", f"data.dev={few}"]
    with locked(output):  # as another run does
        ended = forked(*arguments, "training.max_steps=1", "--output", output)
        assert ended.status == 2
        assert ended.err.startswith(f"transduce: {output} must be written by one at a time")
        assert ended.err.count("\n") == 1
        assert list(output.iterdir()) == []
    ended = forked(*arguments, "training.max_steps=1", "--output", output)
    assert ended.status == 0, ended.err


def test_a_directory_that_was_removed_is_one_line(tmp_path: Path) -> None:
    def leave() -> None:
        gone = tmp_path / "gone"
        gone.mkdir()
        os.chdir(gone)
        gone.rmdir()

    ended = forked("recipes", before=leave)
    message = "current directory must be one that exists; got one that was removed"
    assert ended == (2, "", f"transduce: {message}\n")
