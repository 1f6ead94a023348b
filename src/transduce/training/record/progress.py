"""What a person sees of a run while it goes on."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self, TextIO

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

__all__ = [
    "LineProgress",
    "LiveProgress",
    "Progress",
    "Silence",
    "Status",
    "choose_progress",
    "clock",
    "shown_number",
]


_TELLING = 0.005  # the share of a run that says how fast it goes


@dataclass(frozen=True, slots=True)
class Status:
    """Where a run is."""

    step: int
    epoch: float  # epochs read, fractional
    loss: float  # of the last steps, per target token, in nats
    learning_rate: float
    tokens_per_second: float  # real target tokens
    minutes: float  # used, those before a resume included
    progress: float  # used share of the run's limit, 0 to 1

    @property
    def minutes_left(self) -> float | None:
        """Estimated from the share that is used; None while that is too little to go by."""
        if self.progress < _TELLING:
            return None
        return self.minutes * (1 - self.progress) / self.progress

    def __str__(self) -> str:
        left = self.minutes_left
        return (
            f"step {self.step:,}  epoch {self.epoch:.2f}  loss {self.loss:.3f}  "
            f"{self.tokens_per_second:,.0f} tokens/s  rate {self.learning_rate:.2e}  "
            f"{clock(self.minutes)} used, {'?' if left is None else clock(left)} left"
        )


class Progress(Protocol):
    """A display of a run; the run enters it as a context."""

    def __enter__(self) -> Self:
        """The run begins."""
        ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """The run is over, well or not."""
        ...

    def step(self, status: Status) -> None:
        """A few steps are done."""
        ...

    def scored(self, step: int, metrics: Mapping[str, float], best: bool) -> None:
        """The dev set was scored; ``best``: better than ever before."""
        ...

    def say(self, line: str) -> None:
        """Something worth a line."""
        ...


class Silence:
    """Shows nothing."""

    def __enter__(self) -> Self:
        """Nothing to do."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Nothing to do."""

    def step(self, status: Status) -> None:
        """Nothing to show."""

    def scored(self, step: int, metrics: Mapping[str, float], best: bool) -> None:
        """Nothing to show."""

    def say(self, line: str) -> None:
        """Nothing to show."""


class LineProgress(Silence):
    """Plain lines for a log file: each dev scoring, and a status every ``seconds``."""

    def __init__(self, stream: TextIO | None = None, seconds: float = 15.0) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._seconds = seconds
        self._shown = float("-inf")

    def step(self, status: Status) -> None:
        """A line, if the last one is old enough."""
        now = time.monotonic()
        if now - self._shown >= self._seconds:
            self._shown = now
            self.say(str(status))

    def scored(self, step: int, metrics: Mapping[str, float], best: bool) -> None:
        """One line with the metrics."""
        self.say(f"step {step:,}  dev  {_metrics(metrics)}{'  (best)' if best else ''}")

    def say(self, line: str) -> None:
        """The line itself."""
        print(line, file=self._stream, flush=True)


class LiveProgress:
    """A bar, the numbers of now and the last dev scorings, drawn in place on a terminal."""

    def __init__(self, console: Console | None = None, scorings: int = 5) -> None:
        self._console = console or Console(stderr=True)
        self._live = Live(console=self._console, refresh_per_second=4, transient=False)
        self._scorings = scorings
        self._rows: list[tuple[int, dict[str, float], bool]] = []
        self._status: Status | None = None
        self._shown = float("-inf")

    def __enter__(self) -> Self:
        """Draw from now on."""
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave the last picture standing."""
        self._live.update(self._picture())
        self._live.stop()

    def step(self, status: Status) -> None:
        """Redraw, at most four times a second."""
        self._status = status
        now = time.monotonic()
        if now - self._shown >= 0.25:
            self._shown = now
            self._live.update(self._picture())

    def scored(self, step: int, metrics: Mapping[str, float], best: bool) -> None:
        """Add a row."""
        self._rows.append((step, dict(metrics), best))
        del self._rows[: -self._scorings]
        self._live.update(self._picture())

    def say(self, line: str) -> None:
        """A line above the picture."""
        self._console.print(line, highlight=False, markup=False)

    def _picture(self) -> Group:
        blocks = []
        if self._rows:
            names = self._fitting(list(self._rows[-1][1]))
            table = Table("step", *names, "", box=None, pad_edge=False)
            for step, metrics, best in self._rows:
                cells = [shown_number(metrics[name]) if name in metrics else "" for name in names]
                table.add_row(f"{step:,}", *cells, "best" if best else "")
            blocks.append(table)
        if self._status is not None:
            now = Table.grid()
            now.add_row(ProgressBar(total=1.0, completed=self._status.progress, width=60))
            now.add_row(Text(str(self._status), overflow="fold"))
            blocks.append(now)
        return Group(*blocks)

    def _fitting(self, names: list[str]) -> list[str]:
        """The metrics that stand beside each other on this screen, from the first on."""
        free = self._console.width - len("100,000") - len("  best")
        fitting = []
        for name in names:
            free -= len("  ") + max(len(name), len("100.00"))
            if free < 0:
                break
            fitting.append(name)
        return fitting


def choose_progress(stream: TextIO | None = None) -> Progress:
    """A live display on a terminal, plain lines otherwise. ``stream`` is standard error."""
    stream = sys.stderr if stream is None else stream
    if stream.isatty():
        return LiveProgress(Console(file=stream))
    return LineProgress(stream)


def _metrics(metrics: Mapping[str, float]) -> str:
    return "  ".join(f"{name} {shown_number(value)}" for name, value in metrics.items())


def shown_number(value: float) -> str:
    """A metric as a person reads it."""
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.2f}"


def clock(minutes: float) -> str:
    """Minutes and seconds, hours where there are such."""
    seconds = round(minutes * 60)
    hours, rest = divmod(seconds, 3600)
    return f"{hours}:{rest // 60:02d}:{rest % 60:02d}" if hours else f"{rest // 60}:{rest % 60:02d}"
