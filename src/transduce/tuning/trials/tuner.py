"""Trials side by side until the minutes are used: what is tried next, and what becomes of it."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from transduce.errors import TrainingError
from transduce.training.interrupt import stop_on_signals
from transduce.tuning.board import Board, Standing
from transduce.tuning.space.search_space import SearchSpace
from transduce.tuning.space.tuned_values import with_values
from transduce.tuning.trials.pool import Event, Pool
from transduce.tuning.trials.study import TrialRecord, TuningStudy
from transduce.tuning.trials.trial_minutes import Shares

__all__ = ["Ended", "Tuner", "trial_folder"]

Ended = Literal["minutes", "all tried", "interrupted"]

_POLL = 0.25  # seconds
_NOTED = 5.0  # seconds between two notes of the minutes that are used
_UNREADY = 3  # processes that may end before they are ready


def trial_folder(folder: Path, number: int) -> Path:
    """Where a trial is trained; that of the best and of the recipe's own values stay."""
    return folder / "trials" / str(number)


@dataclass
class Tuner:
    """Hands trials to workers. ``devices`` says for each worker which one it trains on."""

    folder: Path
    recipe: Mapping[str, Any]
    space: SearchSpace
    study: TuningStudy
    metric: str
    pool: Pool
    board: Board
    shares: Shares
    total: float  # minutes of all, those before a resume included
    jobs: int
    devices: tuple[str, ...] = ("cpu",)
    _running: dict[int, TrialRecord] = field(default_factory=dict)  # by worker
    _idle: set[int] = field(default_factory=set)
    _unready: int = 0
    _exhausted: bool = False

    def run(self) -> Ended:
        """Until the minutes are used, or all has been tried, or somebody stops it.

        Raises TrainingError where the recipe itself cannot be trained.
        """
        self._before = float(self.study.noted("minutes") or 0.0)
        self._began = self._noted = time.monotonic()
        self.study.begin()
        self._clear()
        with stop_on_signals() as request:
            self.board.begin()
            try:
                ended = self._loop(lambda: request.made)
            finally:
                self.pool.close()
                for trial in self._running.values():
                    self.study.lost(trial.number, "it was stopped")
                self._running.clear()
                self.study.note("minutes", self.used())
                self.board.end(self.standing())
        self._clear()
        return ended

    def _loop(self, is_asked: Any) -> Ended:
        while True:
            if is_asked():
                return "interrupted"
            if self.used() > self.total - self.shares.ending / 2:
                return "minutes"  # what still runs has taken too long
            if not self._hand_out() and not self._running:
                return "all tried" if self._exhausted else "minutes"
            event = self.pool.next(_POLL)
            if event is not None:
                self._take(event)
            if time.monotonic() - self._noted > _NOTED:
                self._note()
            self.board.show(self.standing())

    def used(self) -> float:
        """Minutes, those before a resume included."""
        return self._before + (time.monotonic() - self._began) / 60

    def standing(self) -> Standing:
        """For a person."""
        lower = self.study.lower_is_better
        trials = self.study.trials()
        options = self.space.training
        return Standing(options, self.metric, lower, trials, self.used(), self.total)

    def _note(self) -> None:
        self._noted = time.monotonic()
        self.study.note("minutes", round(self.used(), 4))

    # ---------------------------------------------------------------- what workers do

    def _hand_out(self) -> bool:
        """Give trials to whoever has none; false where no more are begun."""
        room = self.used() + self.shares.trial <= self.total - self.shares.ending
        self._exhausted = self._exhausted or self.study.is_exhausted()
        if not room or self._exhausted:
            return False
        while len(self.pool) < self.jobs:
            self.pool.start()
        for worker in sorted(self._idle):
            trial = self.study.next()
            if trial is None:
                self._exhausted = True
                return False
            self._idle.remove(worker)
            self._running[worker] = trial
            self.pool.send(worker, self._message(worker, trial))
        return True

    def _message(self, worker: int, trial: TrialRecord) -> dict[str, Any]:
        given = [
            option.values[place].given
            for option, place in zip(self.space.training, trial.places, strict=True)
        ]
        longest = self.shares.trial
        training = {
            "training.max_minutes": longest,
            "training.threads": 1,
            "training.device": self.devices[worker % len(self.devices)],
            "training.tensorboard": False,
        }
        recipe = with_values(self.recipe, [*given, training])
        folder = trial_folder(self.folder, trial.number)
        shutil.rmtree(folder, ignore_errors=True)
        return {"do": "train", "recipe": recipe, "folder": str(folder)}

    def _take(self, event: Event) -> None:
        worker, message = event.worker, event.message
        if message is None:
            self._worker_ended(event)
            return
        if message["is"] == "ready":
            self._unready = 0
            self._idle.add(worker)
            return
        trial = self._running[worker]
        if message["is"] == "scored":
            go = self.study.report(trial.number, message["scoring"], message["score"])
            self.pool.send(worker, {"go": go})
            return
        del self._running[worker]
        self._idle.add(worker)
        if message["is"] == "done":
            self.study.done(trial.number, message["score"], message["minutes"])
        elif message["is"] == "ended early":
            self.study.ended_early(trial.number, message["minutes"])
        elif trial.own:
            raise TrainingError(f"the recipe must train as it is to be tuned: {message['reason']}")
        else:
            self.study.failed(trial.number, message["reason"])
        self._over(trial.number)

    def _worker_ended(self, event: Event) -> None:
        self._idle.discard(event.worker)
        trial = self._running.pop(event.worker, None)
        if trial is None:
            self._unready += 1
            if self._unready >= _UNREADY:
                log = self.folder / "workers.log"
                raise TrainingError(f"trials must start; {event.reason}: {log} says why")
            return
        again = self.study.lost(trial.number, event.reason)
        if trial.own and not again:
            raise TrainingError(f"the recipe must train as it is to be tuned: {event.reason}")
        self._over(trial.number)

    def _over(self, number: int) -> None:
        self._note()
        standing = self.standing()
        self._clear()
        self.board.ended(next(t for t in standing.trials if t.number == number), standing)

    def _clear(self) -> None:
        """Remove the models of all trials but the best, the recipe's own and those that run."""
        kept = {trial.number for trial in (self.study.best(), self.study.own()) if trial}
        kept |= {trial.number for trial in self._running.values()}
        folder = self.folder / "trials"
        for entry in folder.iterdir() if folder.is_dir() else ():
            if not (entry.name.isdecimal() and int(entry.name) in kept):
                shutil.rmtree(entry, ignore_errors=True)
