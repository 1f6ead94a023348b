"""A picture of a run, drawn from its log."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from transduce.drawing.figures import png
from transduce.drawing.line_chart import Line, LinePanel, lines_figure
from transduce.files import replacing
from transduce.metrics.known import METRICS
from transduce.training.record.log import read_log

__all__ = ["plot_run"]

_LARGEST = 1e30  # beyond it the axes' own arithmetic overflows


def plot_run(log: str | Path, picture: str | Path, metric: str = "loss") -> bool:
    """Draw loss, ``metric`` on dev and learning rate over the steps into a PNG.

    Returns whether there was anything to draw. Raises OSError.
    """
    entries = read_log(log)
    steps = [entry for entry in entries if entry["event"] == "step"]
    scorings = [entry for entry in entries if entry["event"] == "dev"]
    if not steps and not scorings:
        return False
    panels = [
        LinePanel(
            "loss (nats a token)",
            [
                Line("train", _points(steps, "loss"), series=1, dense=True),
                Line("dev", _points(scorings, "loss")),
            ],
        )
    ]
    if metric != "loss" and (scores := _points(scorings, metric)):
        label = METRICS[metric].label if metric in METRICS else metric
        panels.append(LinePanel(f"{label} on dev", [Line("", scores)]))
    rates = Line("", _points(steps, "learning_rate"), series=5, dense=True)
    panels.append(LinePanel("learning rate", [rates]))
    drawn = png(lines_figure(panels, across="step", title="Training"))
    with replacing(picture) as aside:
        aside.write_bytes(drawn)
    return True


def _points(entries: Sequence[dict[str, Any]], key: str) -> list[tuple[float, float]]:
    return [(entry["step"], entry[key]) for entry in entries if _is_drawn(entry.get(key))]


def _is_drawn(value: object) -> bool:
    """Whether it is a number; a log is a file, and may hold anything."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _LARGEST
