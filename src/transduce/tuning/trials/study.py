"""The trials of a tuning, kept on the disk: Optuna chooses what to try and when to give up.

The storage is Optuna's journal, a file to which lines are added. One process writes it, which
holds the lock of the folder; trials report to that process. A kill can cut the last line, which is
taken away when the file is opened again. (SQLite takes a second for what the journal does in a
tenth, and is no safer with one writer.)
"""

from __future__ import annotations

import itertools
import json
import math
import random
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from transduce.errors import CheckpointError, ConfigError
from transduce.files import sync_file
from transduce.tuning.space.tuned_values import TunedOption

if TYPE_CHECKING:
    import optuna

__all__ = ["SCORINGS", "STORAGE", "TrialRecord", "TuningStudy", "require_optuna"]

STORAGE = "study.log"  # in the tuning's folder
_NAME = "tuning"
_STARTUP = 7  # trials that are drawn, before what is known guides them
_JUDGES = 4  # finished trials that may end another
SCORINGS = 12  # of a trial
_QUIET = 3  # of them, during which none is ended
_LISTED = 20_000  # ways to combine values that are looked through
_AGAIN = 1  # times that a trial is tried once more whose process was killed

Outcome = Literal["done", "ended early", "failed", "running"]


@dataclass(frozen=True)
class TrialRecord:
    """One trial: its number, the place of each option's value, and what came of it.

    ``score`` is that of its best dev scoring, of one that was ended early too.
    """

    number: int
    places: tuple[int, ...]
    outcome: Outcome
    score: float | None
    own: bool  # the recipe's own values
    minutes: float
    reason: str = ""
    retried: bool = False  # its process was killed, and another trial is to do the same


def require_optuna() -> None:
    """Raises ConfigError where Optuna is not installed."""
    try:
        import optuna  # noqa: F401
    except ImportError:
        raise ConfigError(
            "tune must have Optuna; install it with: pip install 'transduce[tune]'"
        ) from None


class TuningStudy:
    """All trials so far, and the next one."""

    def __init__(
        self, folder: Path, options: Sequence[TunedOption], *, lower_is_better: bool, seed: int
    ) -> None:
        """``folder`` is locked by this process. Raises ConfigError without Optuna."""
        require_optuna()
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._optuna = optuna
        self._options = options
        self.lower_is_better = lower_is_better
        self._study = self._opened(folder / STORAGE, seed)
        self._running: dict[int, optuna.Trial] = {}
        self._reported: dict[int, tuple[int, float]] = {}  # the last scoring of each

    def _opened(self, path: Path, seed: int) -> optuna.Study:
        library = self._optuna
        try:
            _mend(path)
            lock: Any = _NoLock()
            file = library.storages.journal.JournalFileBackend(str(path), lock_obj=lock)
            storage = library.storages.JournalStorage(file)
        except OSError as error:
            raise CheckpointError(f"{path}: cannot be written ({error.strerror})") from None
        except (
            ValueError,
            KeyError,
            TypeError,
            AttributeError,
            self._optuna.exceptions.OptunaError,
        ):
            raise CheckpointError(
                f"{path}: must hold the trials of a tuning as they were written; it was changed"
            ) from None
        study = library.create_study(
            storage=storage,
            study_name=_NAME,
            load_if_exists=True,
            direction="minimize" if self.lower_is_better else "maximize",
            pruner=library.pruners.MedianPruner(_JUDGES, _QUIET),
        )
        # Of the same seed a study that goes on would draw what it has drawn.
        study.sampler = library.samplers.TPESampler(
            seed=(seed + len(study.trials)) % 2**32, n_startup_trials=_STARTUP, multivariate=True
        )
        found: optuna.Study = study
        return found

    # ---------------------------------------------------------------- what it knows of itself

    def note(self, name: str, value: Any) -> None:
        """Keep a plain value beside the trials."""
        self._study.set_user_attr(name, value)

    def noted(self, name: str) -> Any:
        """What was kept, or None."""
        return self._study.user_attrs.get(name)

    # ---------------------------------------------------------------- trials

    def begin(self) -> None:
        """Trials that were running when this process's forerunner ended are tried once more."""
        states = self._optuna.trial.TrialState
        if not self._study.trials:
            self._enqueue([option.own for option in self._options], own=True)
        for trial in self._study.get_trials(states=(states.RUNNING,)):
            self._study.tell(trial.number, state=states.FAIL)
            self._again(trial.number)

    def is_exhausted(self) -> bool:
        """Whether all values have been tried with each other."""
        tried = {trial.places for trial in self.trials() if not trial.retried}
        return len(tried) >= math.prod(len(option.values) for option in self._options)

    def next(self) -> TrialRecord | None:
        """A new trial; None where all values have been tried with each other."""
        if self.is_exhausted():
            return None
        trial = self._study.ask(self._distributions())
        tried = {t.places for t in self.trials() if t.number != trial.number and not t.retried}
        places = tuple(self._places(trial.params))
        if places in tried:  # it would be trained to the same end once more
            trial.set_user_attr("double", True)
            self._study.tell(trial, state=self._optuna.trial.TrialState.FAIL)
            if (other := self._untried(tried, places)) is None:
                return None
            self._enqueue(other, own=False)
            trial = self._study.ask(self._distributions())
        self._running[trial.number] = trial
        return next(t for t in self.trials() if t.number == trial.number)

    def _untried(
        self, tried: Collection[tuple[int, ...]], near: tuple[int, ...]
    ) -> tuple[int, ...] | None:
        """Values near others, of which no trial has been made."""
        sizes = [len(option.values) for option in self._options]
        ways: Iterable[tuple[int, ...]] = itertools.product(*map(range, sizes))
        if math.prod(sizes) > _LISTED:
            drawn = random.Random(len(tried))
            ways = (tuple(map(drawn.randrange, sizes)) for _ in range(_LISTED))
        found = (way for way in ways if way not in tried)
        return min(
            found,
            key=lambda way: sum(abs(a - b) / n for a, b, n in zip(way, near, sizes, strict=True)),
            default=None,
        )

    def report(self, number: int, scoring: int, score: float) -> bool:
        """Take in a dev scoring, the ``scoring``-th of 12; false: the trial is to be ended."""
        trial = self._running[number]
        # Scorings that a trial had no time for are as the one before: then all can be compared.
        last, known = self._reported.get(number, (scoring, score))
        for missed in range(last + 1, scoring):
            trial.report(known, missed)
        trial.report(score, scoring)
        self._reported[number] = scoring, score
        return bool(trial.user_attrs.get("own")) or not trial.should_prune()

    def done(self, number: int, score: float, minutes: float) -> None:
        """A trial trained to its end."""
        if math.isnan(score):
            self.failed(number, "its score is not a number")
            return
        last, known = self._reported.get(number, (SCORINGS, score))
        for missed in range(last + 1, SCORINGS):
            self._running[number].report(known, missed)
        self._end(number, minutes)
        self._study.tell(number, score)

    def ended_early(self, number: int, minutes: float) -> None:
        """As ``report`` asked for."""
        self._end(number, minutes)
        self._study.tell(number, state=self._optuna.trial.TrialState.PRUNED)

    def failed(self, number: int, reason: str) -> None:
        """A trial that cannot be trained with its values, which count as bad ones."""
        self._running[number].set_user_attr("reason", reason)
        self._end(number, 0.0)
        self._study.tell(number, state=self._optuna.trial.TrialState.PRUNED)

    def lost(self, number: int, reason: str) -> bool:
        """A trial whose process was killed; true: it is tried once more."""
        self._running.pop(number).set_user_attr("reason", reason)
        self._study.tell(number, state=self._optuna.trial.TrialState.FAIL)
        return self._again(number)

    def _end(self, number: int, minutes: float) -> None:
        self._running.pop(number).set_user_attr("minutes", minutes)

    def _again(self, number: int) -> bool:
        trial = self._study.get_trials(deepcopy=False)[number]
        params = trial.params or trial.system_attrs.get("fixed_params", {})
        times = trial.user_attrs.get("again", 0)
        if not params or times >= _AGAIN:
            return False
        own = bool(trial.user_attrs.get("own"))
        self._enqueue(self._places(params), own=own, again=times + 1, of=number)
        return True

    def _enqueue(
        self, places: Sequence[int], *, own: bool, again: int = 0, of: int | None = None
    ) -> None:
        params = {o.name: p for o, p in zip(self._options, places, strict=True)}
        self._study.enqueue_trial(params, user_attrs={"own": own, "again": again, "of": of})

    def _distributions(self) -> dict[str, Any]:
        """The places of values that have an order, else the values' places as mere names."""
        kinds = self._optuna.distributions
        return {
            option.name: kinds.IntDistribution(0, len(option.values) - 1)
            if option.ordered
            else kinds.CategoricalDistribution(tuple(range(len(option.values))))
            for option in self._options
        }

    def _places(self, params: Mapping[str, Any]) -> list[int]:
        return [int(params[option.name]) for option in self._options]

    # ---------------------------------------------------------------- what came of them

    def trials(self) -> list[TrialRecord]:
        """All that have begun, in their order."""
        states = self._optuna.trial.TrialState
        found = []
        all_trials = self._study.get_trials(deepcopy=False)
        retried = {trial.user_attrs.get("of") for trial in all_trials}
        for trial in all_trials:
            if trial.state == states.WAITING or len(trial.params) < len(self._options):
                continue
            if trial.user_attrs.get("double"):
                continue
            reason = str(trial.user_attrs.get("reason", ""))
            outcome: Outcome = "running"
            if trial.state == states.COMPLETE:
                outcome = "done"
            elif trial.state == states.PRUNED and not reason:
                outcome = "ended early"
            elif trial.state.is_finished():
                outcome = "failed"
            found.append(
                TrialRecord(
                    trial.number,
                    tuple(self._places(trial.params)),
                    outcome,
                    self._score(trial),
                    bool(trial.user_attrs.get("own")),
                    float(trial.user_attrs.get("minutes", 0.0)),
                    reason,
                    trial.number in retried,
                )
            )
        return found

    def _score(self, trial: Any) -> float | None:
        if trial.state == self._optuna.trial.TrialState.COMPLETE:
            return float(trial.value)
        values = [v for v in trial.intermediate_values.values() if not math.isnan(v)]
        return (min if self.lower_is_better else max)(values) if values else None

    def best(self) -> TrialRecord | None:
        """Of those that trained to their end."""
        done = [trial for trial in self.trials() if trial.outcome == "done"]
        sign = 1 if self.lower_is_better else -1
        return min(done, key=lambda trial: sign * (trial.score or 0.0), default=None)

    def own(self) -> TrialRecord | None:
        """The trial of the recipe's own values, where it trained to its end."""
        return next((t for t in self.trials() if t.own and t.outcome == "done"), None)

    def importances(self) -> dict[str, float]:
        """The share of each option in how much scores differ (PED-ANOVA, Watanabe et al. 2023).

        None where too few trials have finished to tell.
        """
        done = [trial for trial in self.trials() if trial.outcome == "done"]
        if len(done) < _JUDGES or len({trial.score for trial in done}) < 2:
            return {}
        return dict(self._optuna.importance.get_param_importances(self._study))


def _mend(path: Path) -> None:
    """Take away the beginning of a line that a kill or a full disk has cut."""
    if not path.exists():
        return
    content = path.read_bytes()
    end = content.rfind(b"\n") + 1
    while end:
        start = content.rfind(b"\n", 0, end - 1) + 1
        try:
            json.loads(content[start:end])
            break
        except ValueError:
            end = start
    if end < len(content):
        with path.open("r+b") as file:
            file.truncate(end)
        sync_file(path)


class _NoLock:
    """In the place of a lock of Optuna's, which a kill would leave: the folder has one."""

    def acquire(self) -> bool:
        return True

    def release(self) -> None:
        pass
