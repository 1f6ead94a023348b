"""``transduce tune`` from end to end: what it writes, how it goes on, what it says."""

from __future__ import annotations

import os
import signal
import sys
from functools import partial
from pathlib import Path

import pytest

from command_line import call
from small_runs import words, write_reversals
from small_tunings import FEW, ForkedWorker, SpyBoard, tune_small
from transduce.commands import tune as tune_command
from transduce.config import load_config
from transduce.errors import BusyError, CheckpointError, ConfigError, TrainingError
from transduce.files import locked
from transduce.tuning.trials.study import TrialRecord
from transduce.tuning.tune_recipe import run_tuning, tune
from transduce.workflow.trained import TrainedModel

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs forks")

TRY = [text for option in FEW for text in ("--try", option)]


@pytest.fixture
def forking(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tune_command, "run_tuning", partial(run_tuning, launch=ForkedWorker))


@pytest.mark.learning
def test_from_a_recipe_to_a_better_one(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With processes of their own, as a person starts them."""
    tried = ["--try", "learning_rate=0.001,0.03", "--try", "beam=1,2"]
    command = ["tune", "small.yaml", "--minutes", "5", "--jobs", "1", *tried]
    assert call(monkeypatch, *command) == 0
    told = capsys.readouterr()
    folder = place / "runs" / "small-tuning"
    assert "trial 0: done cer" in told.err
    assert "tuning learning_rate, beam: trials of" in told.err
    assert "2 trials of" in told.out
    assert "transduce train runs/small-tuning/recipe.yaml" in told.out
    for line in ("dev    cer", "test   cer"):
        assert line in told.out
    recipe = (folder / "recipe.yaml").read_text()
    assert "learning_rate: 0.03  # tuned: 0.001 and 0.03 tried, 0.03 won; it was 0.001" in recipe
    assert recipe.startswith("# Tuned by transduce: 2 trials")
    tuned = load_config(folder / "recipe.yaml")
    assert tuned.training.learning_rate == 0.03
    assert tuned.training.max_steps == 3
    assert tuned.model.encoder.width == 8
    assert (folder / "tuning.png").read_bytes().startswith(b"\x89PNG")
    assert (
        (folder / "trials.tsv").read_text().startswith("trial\toutcome\tscore\tminutes\tlearning")
    )
    own, best = sorted(os.listdir(folder / "trials"))
    assert own == "0"
    assert TrainedModel.load(folder / "trials" / best).config.training.learning_rate == 0.03

    # the same command once more tells the same, and trains nothing
    monkeypatch.setattr(tune_command, "run_tuning", partial(run_tuning, launch=None))
    assert call(monkeypatch, *command) == 0
    again = capsys.readouterr()
    assert again.out == told.out
    assert "trial" not in again.err.replace("trials of", "")


@pytest.mark.usefixtures("undrawn")
@pytest.mark.learning
def test_what_a_kill_of_the_parent_leaves(place: Path) -> None:
    """At most what was running is lost: it is tried once more, the rest is as it was."""

    def die(trial: TrialRecord) -> None:
        if trial.number == 1:
            os.kill(os.getpid(), signal.SIGKILL)

    if (child := os.fork()) == 0:
        try:
            tune_small(SpyBoard(die), jobs=2)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    lines = (place / "out" / "study.log").read_bytes()
    (place / "out" / "study.log").write_bytes(lines + b'{"op_code":6,"wor')  # torn
    board = SpyBoard()
    found = tune_small(board, jobs=2)
    assert found is not None
    lost = [trial for trial in found.trials if trial.retried]
    assert len(lost) <= 2
    done = [trial for trial in found.trials if trial.outcome == "done"]
    assert len({trial.places for trial in done}) == len(done) == 4
    assert [trial.number for trial in done if trial.own] in (
        [0],
        [lost[0].number + 2] if lost else [],
    )
    assert found.ended == "all tried"
    assert set(os.listdir(place / "out" / "trials")) == {str(t.number) for t in done if t.own} | {
        found.model.name
    }


@pytest.mark.usefixtures("undrawn")
@pytest.mark.learning
def test_a_trial_whose_process_is_killed_is_tried_once_more(place: Path) -> None:
    killed: list[int] = []

    def kill(number: int) -> None:
        killed.append(number)
        os.kill(ForkedWorker.pids[max(ForkedWorker.pids)], signal.SIGKILL)

    board = SpyBoard()
    board.show = (
        lambda standing: [  # type: ignore[method-assign]
            kill(t.number) for t in standing.trials if t.outcome == "running" and t.number == 1
        ][:0]
    )
    found = tune_small(board, tried=FEW[:1] + FEW[2:])
    assert found is not None
    if killed:  # it may have been faster than the look at it
        assert [t.number for t in found.trials if t.retried] in ([1], [])
    assert sum(t.outcome == "done" for t in found.trials) == 2


@pytest.mark.usefixtures("undrawn")
@pytest.mark.learning
def test_ctrl_c_keeps_all_and_says_how_to_go_on(
    place: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    forking: None,
) -> None:
    stop = SpyBoard(lambda trial: os.kill(os.getpid(), signal.SIGINT))
    monkeypatch.setattr(tune_command, "choose_board", lambda verbose: stop)
    command = ["tune", "small.yaml", "--minutes", "5", "--jobs", "1", "-o", "out", *TRY]
    assert call(monkeypatch, *command) == 130
    told = capsys.readouterr().out
    assert "stopped; go on with the same command" in told
    assert "1 trials of" in told
    assert load_config("out/recipe.yaml").training.learning_rate == 0.001

    monkeypatch.setattr(tune_command, "choose_board", lambda verbose: SpyBoard())
    assert call(monkeypatch, *command) == 0
    assert "4 trials of" in capsys.readouterr().out


@pytest.mark.usefixtures("undrawn")
@pytest.mark.learning
def test_a_recipe_that_cannot_train_is_said_at_once(place: Path) -> None:
    message = "the recipe must train as it is to be tuned: training.tag_orders must be 1 where"
    with pytest.raises(TrainingError, match=message):
        tune_small(options={"training.tag_orders": 2})


@pytest.mark.usefixtures("undrawn")
@pytest.mark.learning
def test_values_that_cannot_train_are_left_behind(place: Path) -> None:
    found = tune_small(tried=("training.tag_orders=1,2", "learning_rate=0.001,0.002"))
    assert found is not None
    failed = [trial for trial in found.trials if trial.outcome == "failed"]
    assert len(failed) == 2
    assert "training.tag_orders must be 1" in failed[0].reason
    assert found.config.training.tag_orders == 1


def test_processes_that_do_not_start_are_said(place: Path) -> None:
    class Broken(ForkedWorker):
        def __init__(self, folder: Path, number: int) -> None:
            super().__init__(folder, number)
            self.kill()

    with pytest.raises(TrainingError, match=r"trials must start; its process was ended by SIGKILL"):
        tune_small(launch=Broken)


def test_too_few_minutes_are_said(place: Path) -> None:
    with pytest.raises(
        TrainingError, match=r"must train to its end, which takes .* more --minutes"
    ):
        tune_small(minutes=1e-6)


# ---------------------------------------------------------------- what a person gets wrong


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["small.yaml", "--minutes", "0"], "--minutes must be more than 0 and at most 1,000,000"),
        (["small.yaml", "--jobs", "0"], "--jobs must be from 1 to 1,024; got 0"),
        (["training.seed=2"], "tune must be given a recipe, or files with pairs; got neither"),
        (["small.yaml", "train.tsv"], "RECIPE must stand alone; got 2 files"),
        (["small.yaml", "train.txv"], "override must be of the form KEY=VALUE; got 'train.txv'"),
        (["small.yaml", "training.sed=2"], "small.yaml: training.sed must be a known key; did you"),
        (["small.yaml", "data.dev=[]"], "small.yaml: data.dev must"),
        (["small.yaml", "--try", "droput"], "got 'droput', did you mean dropout?"),
        (["small.yaml", "--output", "full"], "got full, which holds other things"),
        (["small.yaml", "--output", "small.yaml"], "--output must be a writable directory"),
    ],
)
def test_errors_are_one_line(
    place: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    (place / "full").mkdir()
    (place / "full" / "notes.txt").touch()
    assert call(monkeypatch, "tune", *arguments) == 2
    told = capsys.readouterr().err
    assert message in told
    assert len(told.splitlines()) == 1


def test_without_optuna_it_says_what_to_install(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    assert call(monkeypatch, "tune", "small.yaml") == 2
    line = "transduce: tune must have Optuna; install it with: pip install 'transduce[tune]'\n"
    assert capsys.readouterr().err == line


@pytest.mark.usefixtures("undrawn")
@pytest.mark.learning
def test_another_tuning_is_refused_and_so_are_damaged_files(place: Path) -> None:
    alone = FEW[2:]  # the recipe's own trial, and two beams
    assert tune_small(tried=alone) is not None
    changed = [
        ({"tried": FEW[:1]}, "out, where --try was beam=1,2, now learning_rate=0.001,0.03"),
        ({"options": {"training.seed": 2}}, "where options was none, now training.seed=2"),
    ]
    for given, message in changed:
        with pytest.raises(ConfigError, match=message):
            tune_small(**{"tried": alone, **given})  # type: ignore[arg-type]
    recipe = (place / "small.yaml").read_text()
    (place / "small.yaml").write_text(recipe.replace("max_steps: 3", "max_steps: 4"))
    with pytest.raises(ConfigError, match=r"where training.max_steps was 3, now 4"):
        tune_small(tried=alone)
    (place / "small.yaml").write_text(recipe)
    write_reversals(place / "dev.tsv", words(3, 12))
    with pytest.raises(ConfigError, match=r"data must be what they were when out was begun"):
        tune_small(tried=alone)

    log = place / "out" / "study.log"
    write_reversals(place / "dev.tsv", words(1, 100)[80:90])
    whole = log.read_text()
    log.write_text("nonsense\n" + whole)
    with pytest.raises(CheckpointError, match=r"study.log: must hold the trials of a tuning"):
        tune_small(tried=alone)
    log.write_text(whole)
    (place / "out" / "tuning.json").write_text("[]")
    with pytest.raises(CheckpointError, match=r"tuning.json: must be as the tuning wrote it"):
        tune_small(tried=alone)


def test_one_tuning_at_a_time(place: Path) -> None:
    (place / "out").mkdir()
    told, tell = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            with locked(Path("out")):
                os.write(tell, b"locked")
                signal.pause()
        finally:
            os._exit(1)
    try:
        assert os.read(told, 6) == b"locked"
        with pytest.raises(BusyError):
            tune_small()
    finally:
        os.close(told)
        os.close(tell)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


# ---------------------------------------------------------------- from Python, and from data


def test_ctrl_c_in_python_is_raised(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transduce.tuning.tune_recipe.run_tuning", lambda *given, **named: None)
    with pytest.raises(KeyboardInterrupt, match="the same call goes on"):
        tune("small.yaml", minutes=1)


@pytest.mark.usefixtures("undrawn")
@pytest.mark.learning
def test_from_data_alone(place: Path) -> None:
    found = run_tuning(
        ["train.tsv"],
        Path("out"),
        minutes=5,
        jobs=1,
        tried=["beam=1,2"],
        options={"model.encoder.width": 8, "model.decoder.width": 8, "training.max_steps": 2},
        board=SpyBoard(),
        verbose=0,
        launch=ForkedWorker,
    )
    assert found is not None
    text = found.recipe.read_text()
    assert "kind: character  # " in text  # the reasons of the choice stay
    assert "max_minutes: 0.25  # as long as each trial trained" in text
    assert "beam: " in text
    assert set(found.test) == {"own", "tuned"}  # held out
