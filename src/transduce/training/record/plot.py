"""A picture of a run, drawn from its log."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

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
    # Slow to import; the class itself needs no display and no global state.
    from matplotlib.figure import Figure

    extra = metric != "loss" and any(metric in entry for entry in scorings)
    panels = ["loss", *([metric] if extra else []), "learning rate"]
    figure = Figure(figsize=(8, 2.6 * len(panels)), layout="constrained")
    axes = dict(zip(panels, figure.subplots(len(panels), 1, sharex=True), strict=True))
    _line(axes["loss"], steps, "loss", "train")
    _line(axes["loss"], scorings, "loss", "dev", marker="o")
    axes["loss"].set_ylabel("loss (nats a token)")
    if axes["loss"].get_legend_handles_labels()[0]:
        axes["loss"].legend()
    if extra:
        _line(axes[metric], scorings, metric, "dev", marker="o")
        axes[metric].set_ylabel(f"{METRICS[metric].label if metric in METRICS else metric} on dev")
    _line(axes["learning rate"], steps, "learning_rate", "")
    axes["learning rate"].set_ylabel("learning rate")
    axes["learning rate"].set_xlabel("step")
    for panel in axes.values():
        panel.grid(alpha=0.3)
    with replacing(picture) as aside:
        figure.savefig(aside, format="png", dpi=120)
    return True


def _line(
    axes: Any, entries: Sequence[dict[str, Any]], key: str, label: str, marker: str = ""
) -> None:
    points = [(entry["step"], entry[key]) for entry in entries if _is_drawn(entry.get(key))]
    if points:
        axes.plot(*zip(*points, strict=True), label=label, marker=marker, markersize=4)


def _is_drawn(value: object) -> bool:
    """Whether it is a number; a log is a file, and may hold anything."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _LARGEST
