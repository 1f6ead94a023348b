"""A recipe that trains in a moment, and workers that are forks: PyTorch is imported already."""

from __future__ import annotations

import os
import signal
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from transduce.tuning.board import Standing
from transduce.tuning.trials import worker
from transduce.tuning.trials.study import TrialRecord
from transduce.tuning.tune_recipe import run_tuning
from transduce.tuning.winner import Tuned

RECIPE = """\
name: reversals
data:
  train: train.tsv
  dev: dev.tsv
  test: test.tsv
model:
  encoder: {kind: gru, width: 8, dropout: 0.0}  # small
  decoder: {kind: gru, width: 8, dropout: 0.0}
training: {max_steps: 3, batch_tokens: 64, learning_rate: 0.001, metric: cer, threads: 1}
search: {max_length: 6}
"""
FEW = ("learning_rate=0.001,0.03", "dropout=0,0.2", "beam=1,2")


class ForkedWorker:
    """A worker of its own process, as ``subprocess.Popen`` would be."""

    pids: dict[int, int] = {}  # noqa: RUF012

    def __init__(self, folder: Path, number: int) -> None:
        down, up = os.pipe(), os.pipe()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # other threads only read pipes
            self.pid = os.fork()
        if not self.pid:
            try:
                os.close(down[1])
                os.close(up[0])
                worker.main(os.fdopen(down[0]), os.fdopen(up[1], "w"), folder / "data")
            finally:
                os._exit(1)
        os.close(down[0])
        os.close(up[1])
        self.stdin: IO[str] | None = os.fdopen(down[1], "w")
        self.stdout: IO[str] | None = os.fdopen(up[0])
        self.pids[number] = self.pid
        self._status: int | None = None

    def kill(self) -> None:
        if self._status is None:
            os.kill(self.pid, signal.SIGKILL)

    def wait(self, timeout: float | None = None) -> int:
        if self._status is None:
            self._status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self._status


@dataclass
class SpyBoard:
    """Does something when a trial is over."""

    then: Callable[[TrialRecord], None] = lambda trial: None
    last: Standing | None = None

    def begin(self) -> None:
        pass

    def show(self, standing: Standing) -> None:
        self.last = standing

    def ended(self, trial: TrialRecord, standing: Standing) -> None:
        self.last = standing
        self.then(trial)

    def end(self, standing: Standing) -> None:
        self.last = standing


def tune_small(
    board: Any = None,
    *,
    tried: tuple[str, ...] = FEW,
    jobs: int = 1,
    output: str = "out",
    options: dict[str, Any] | None = None,
    minutes: float = 5,
    launch: Any = ForkedWorker,
) -> Tuned | None:
    return run_tuning(
        ["small.yaml"],
        Path(output),
        minutes=minutes,
        jobs=jobs,
        tried=tried,
        options=options or {},
        board=board or SpyBoard(),
        verbose=0,
        launch=launch,
    )
