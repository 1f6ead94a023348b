"""Lines over steps or lengths: the losses of a run, what holds at each length."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from transduce.drawing import figures

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["Line", "LinePanel", "lines_figure"]

_PANEL = 2.5  # inches of height
_ALONE = 3.3  # where there is one only


@dataclass(frozen=True, slots=True)
class Line:
    """Points from left to right. ``series`` chooses colour and marker (:func:`figures.series`);
    ``dense`` ones have no markers, ``broad`` ones lie pale below others.
    """

    name: str
    points: Sequence[tuple[float, float]]
    series: int = 0
    dense: bool = False
    broad: bool = False
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class LinePanel:
    """Lines on one pair of axes; ``up`` says what is measured, ``limits`` where its axis ends."""

    up: str
    lines: Sequence[Line]
    limits: tuple[float, float] | None = None


def lines_figure(panels: Sequence[LinePanel], *, across: str, title: str = "") -> Figure:
    """Panels below each other over one axis; lines without a point are left out."""
    height = _ALONE if len(panels) == 1 else _PANEL * len(panels)
    drawn = figures.figure(figures.WIDTH, height)
    columns = drawn.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
    for axes, panel in zip(columns, panels, strict=True):
        last = panel is panels[-1]
        figures.plain(axes, across=across if last else "", up=panel.up)
        for line in panel.lines:
            if line.points:
                _draw(axes, line)
        if panel.limits is not None:
            axes.set_ylim(*panel.limits)
        figures.key(axes, max(1, len(panel.lines)))
    columns[-1].xaxis.set_major_formatter(lambda value, _: f"{value:,.10g}")
    figures.heading(drawn, title)
    return drawn


def _draw(axes: Axes, line: Line) -> None:
    colour, marker = figures.series(line.series)
    axes.plot(
        *zip(*line.points, strict=True),
        label=line.name or "_",  # an underscore is in no key
        color=colour,
        alpha=0.35 if line.broad else 1.0,
        linewidth=5.0 if line.broad else 1.6,
        linestyle="--" if line.dashed else "-",
        marker="" if line.dense or line.broad else marker,
        markersize=5,
        markeredgecolor="white",
        markeredgewidth=0.6,
        solid_capstyle="round",
    )
