"""What a person sees of a tuning while it goes on: the best trials, counts, the time left."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TextIO

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from transduce.training.record.progress import clock, shown_number
from transduce.tuning.space.tuned_values import TunedOption, shown_value
from transduce.tuning.trials.study import TrialRecord

__all__ = ["Board", "LiveBoard", "Standing", "choose_board", "described"]

_SHOWN = 6  # trials
_PAUSE = 0.5  # seconds between two pictures


@dataclass(frozen=True)
class Standing:
    """Where a tuning is."""

    options: Sequence[TunedOption]
    metric: str
    lower_is_better: bool
    trials: Sequence[TrialRecord]
    minutes: float  # used, those before a resume included
    total: float

    def best(self) -> list[TrialRecord]:
        """Trials that trained to their end, the best first."""
        done = [trial for trial in self.trials if trial.outcome == "done"]
        sign = 1 if self.lower_is_better else -1
        return sorted(done, key=lambda trial: sign * (trial.score or 0.0))

    def count(self, outcome: str) -> int:
        """How many trials have come to this."""
        return sum(t.outcome == outcome and not t.retried for t in self.trials)

    def __str__(self) -> str:
        best = self.best()
        found = (
            f"best {self.metric} {shown_number(best[0].score or 0.0)}" if best else "no score yet"
        )
        own = next((t for t in best if t.own), None)
        beside = "" if own is None else f" (the recipe's own {shown_number(own.score or 0.0)})"
        failed = f", {self.count('failed')} failed" if self.count("failed") else ""
        left = max(0.0, self.total - self.minutes)
        return (
            f"{found}{beside} · {self.count('done')} trials done, "
            f"{self.count('ended early')} ended early{failed}, {self.count('running')} running · "
            f"{clock(left)} left"
        )


def described(trial: TrialRecord, options: Sequence[TunedOption]) -> str:
    """What a trial has that the recipe has not."""
    if trial.own:
        return "the recipe's own values"
    changed = [
        f"{option.name} {shown_value(option.values[place].shown)}"
        for option, place in zip(options, trial.places, strict=True)
        if place != option.own
    ]
    return ", ".join(changed)


class Board(Protocol):
    """A display of a tuning."""

    def begin(self) -> None:
        """It begins."""
        ...

    def show(self, standing: Standing) -> None:
        """Time has passed, or something has happened."""
        ...

    def ended(self, trial: TrialRecord, standing: Standing) -> None:
        """A trial is over."""
        ...

    def end(self, standing: Standing) -> None:
        """It is over, well or not."""
        ...


class LineBoard:
    """A line for each trial that is over."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say

    def begin(self) -> None:
        """Nothing to show yet."""

    def show(self, standing: Standing) -> None:
        """Nothing: lines would fill the log."""

    def ended(self, trial: TrialRecord, standing: Standing) -> None:
        """The trial, and where the tuning is."""
        score = "" if trial.score is None else f" {standing.metric} {shown_number(trial.score)}"
        what = described(trial, standing.options)
        reason = f" ({trial.reason})" if trial.reason else ""
        self._say(f"trial {trial.number}: {trial.outcome}{score}{reason}  {what}")
        self._say(f"  {standing}")

    def end(self, standing: Standing) -> None:
        """Nothing: the result says it all."""


class LiveBoard:
    """The best trials, those that run, counts and a bar, drawn in place on a terminal."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True)
        self._live = Live(console=self._console, refresh_per_second=4, transient=True)
        self._shown = float("-inf")

    def begin(self) -> None:
        """Draw from now on."""
        self._live.start()

    def show(self, standing: Standing) -> None:
        """Redraw, now and then."""
        now = time.monotonic()
        if now - self._shown >= _PAUSE:
            self._shown = now
            self._live.update(self._picture(standing))

    def ended(self, trial: TrialRecord, standing: Standing) -> None:
        """A line above the picture where it failed; the picture has the others."""
        if trial.outcome == "failed":
            what = described(trial, standing.options)
            line = f"trial {trial.number} failed: {trial.reason}  {what}"
            self._console.print(line, highlight=False, markup=False)
        self._live.update(self._picture(standing))

    def end(self, standing: Standing) -> None:
        """Take the picture away: the result stands in its place."""
        self._live.update(self._picture(standing))
        self._live.stop()

    def _picture(self, standing: Standing) -> Group:
        table = Table("trial", standing.metric, "what it tries", box=None, pad_edge=False)
        running = [trial for trial in standing.trials if trial.outcome == "running"]
        for trial in standing.best()[:_SHOWN]:
            table.add_row(*_row(trial, standing))
        for trial in running[:_SHOWN]:
            table.add_row(*_row(trial, standing), style="dim")
        bar = Table.grid()
        share = min(1.0, standing.minutes / standing.total)
        bar.add_row(ProgressBar(total=1.0, completed=share, width=60))
        return Group(table, bar, Text(str(standing), overflow="fold"))


def _row(trial: TrialRecord, standing: Standing) -> tuple[Text, Text, Text]:
    score = "" if trial.score is None else shown_number(trial.score)
    if trial.outcome == "running":
        score = f"{score} …"
    what = Text(described(trial, standing.options), overflow="fold")
    return Text(str(trial.number)), Text(score), what


def choose_board(verbose: int, stream: TextIO | None = None) -> Board:
    """Nothing (0), a picture on a terminal, else lines. ``stream`` is standard error."""
    stream = sys.stderr if stream is None else stream
    if not verbose:
        return LineBoard(lambda line: None)
    if stream.isatty():
        return LiveBoard(Console(file=stream))
    return LineBoard(lambda line: print(line, file=stream, flush=True))
