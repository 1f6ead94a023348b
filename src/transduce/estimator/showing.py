"""What ``Transducer.fit`` shows while it trains, and a fitted model in a notebook."""

from __future__ import annotations

import html
import logging
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from transduce.training.record.progress import (
    LineProgress,
    LiveProgress,
    Progress,
    Silence,
    Status,
    shown_number,
)

__all__ = ["LogProgress", "NotebookProgress", "choose_display", "model_table"]

_PAUSE = 0.25  # seconds between two pictures
_SCORINGS = 8  # that a notebook shows


class Shown(Protocol):
    """An output of a notebook cell that can be replaced (IPython's ``DisplayHandle``)."""

    def update(self, obj: object) -> object:
        """Show this in its place."""
        ...


class Html:
    """HTML that a notebook shows."""

    def __init__(self, text: str) -> None:
        self.text = text

    def _repr_html_(self) -> str:
        return self.text


class LogProgress(LineProgress):
    """Lines for ``logging``, logger ``transduce``: scorings and, now and then, where it is."""

    def say(self, line: str) -> None:
        """The line itself."""
        logging.getLogger("transduce").info("%s", line)


class NotebookProgress(Silence):
    """A bar and a table of the dev scorings, drawn in place in the cell's output."""

    def __init__(self, show: Callable[[object], Shown]) -> None:
        self._show = show
        self._cell: Shown | None = None
        self._lines: list[str] = []
        self._rows: list[tuple[int, dict[str, float], bool]] = []
        self._status: Status | None = None
        self._shown = float("-inf")

    def __exit__(self, *_: object) -> None:
        """Leave the last picture standing."""
        self._draw()

    def step(self, status: Status) -> None:
        """Redraw, at most four times a second."""
        self._status = status
        now = time.monotonic()
        if now - self._shown >= _PAUSE:
            self._shown = now
            self._draw()

    def scored(self, step: int, metrics: Mapping[str, float], best: bool) -> None:
        """Add a row."""
        self._rows.append((step, dict(metrics), best))
        del self._rows[:-_SCORINGS]
        self._draw()

    def say(self, line: str) -> None:
        """A line above the bar."""
        self._lines.append(line)
        self._draw()

    def _draw(self) -> None:
        page = Html(self._picture())
        if self._cell is None:
            self._cell = self._show(page)
        else:
            self._cell.update(page)

    def _picture(self) -> str:
        blocks = [f"<div>{html.escape(line)}</div>" for line in self._lines]
        if self._status is not None:
            share = f"{min(self._status.progress, 1.0):.4f}"
            line = html.escape(str(self._status))
            blocks.append(f'<progress value="{share}" max="1"></progress><div>{line}</div>')
        if self._rows:
            names = list(self._rows[-1][1])
            rows = [
                [f"{step:,}", *(_cell(metrics, name) for name in names), "best" if best else ""]
                for step, metrics, best in self._rows
            ]
            blocks.append(_table(["step", *names, ""], rows))
        return "".join(blocks)


def choose_display(verbose: int) -> Progress:
    """What shows a run: nothing (0), in a notebook its cell, on a terminal a bar, else a log."""
    if not verbose:
        return Silence()
    if (show := _notebook()) is not None:
        return NotebookProgress(show)
    return LiveProgress() if sys.stderr.isatty() else LogProgress()


def _notebook() -> Callable[[object], Shown] | None:
    """What shows something in the cell that runs; None where this is no notebook."""
    if (ipython := sys.modules.get("IPython")) is None:
        return None
    shell = ipython.get_ipython()
    if shell is None or not hasattr(shell, "kernel"):  # a terminal has no kernel
        return None
    return lambda page: ipython.display.display(page, display_id=True)


def model_table(title: str, report: Mapping[str, Any]) -> str:
    """A model in HTML: its size and how its training ended, where its report tells."""
    rows = []
    if isinstance(sizes := report.get("parameters"), Mapping):
        rows.append(["parameters", f"{sum(sizes.values()):,}"])
    if isinstance(data := report.get("data"), Mapping):
        pairs = f"{data['train_pairs']:,} pairs, dev {data['dev_sources']:,} sources"
        rows.append(["trained on", pairs])
    if isinstance(training := report.get("training"), Mapping):
        steps, minutes = training["steps"], training["minutes"]
        rows.append(
            ["training", f"{steps:,} steps, {minutes:.1f} minutes, ended by {training['stopped']}"]
        )
        best = training["best"]
        rows += [[f"dev {name}", shown_number(value)] for name, value in best.items()]
    return f"<div><code>{html.escape(title)}</code></div>{_table([], rows)}"


def _cell(metrics: Mapping[str, float], name: str) -> str:
    return shown_number(metrics[name]) if name in metrics else ""


def _table(head: list[str], rows: list[list[str]]) -> str:
    first = "".join(f"<th>{html.escape(name)}</th>" for name in head)
    lines = [f"<tr>{first}</tr>"] if head else []
    for row in rows:
        lines.append("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>")
    return f"<table>{''.join(lines)}</table>" if lines else ""
