"""Measured rates as points with their ranges, a row a setting, on an axis of ratios.

Points, not bars: the length of a bar means nothing on such an axis, which has no 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from transduce.drawing import figures

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["Point", "PointPanel", "PointRow", "points_figure"]

_ROOM = 1.25  # times that the axis goes beyond the least and the largest
_LETTERS = 84  # in a line of the key
_FRAME = 0.75  # inches of a panel beside its rows


@dataclass(frozen=True, slots=True)
class Point:
    """What was measured of one system: all above 0. ``low`` to ``high`` is the range, if known."""

    name: str
    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class PointRow:
    """The systems in one setting; ``remark`` stands at the right."""

    setting: str
    points: Sequence[Point]
    remark: str = ""


@dataclass(frozen=True, slots=True)
class PointPanel:
    """Settings on one axis; ``across`` says what is measured."""

    title: str
    across: str
    rows: Sequence[PointRow]


def points_figure(panels: Sequence[PointPanel], *, title: str = "", note: str = "") -> Figure:
    """Panels below each other, each system with one colour and form in all."""
    names = list(dict.fromkeys(p.name for panel in panels for r in panel.rows for p in r.points))
    sizes = [_FRAME + sum(map(_height, panel.rows)) for panel in panels]
    lines = _in_lines(names)
    sizes.insert(0, 0.25 * lines if len(names) > 1 else 0.01)
    drawn = figures.figure(figures.WIDTH, sum(sizes) + 0.5)
    key, *columns = drawn.subplots(len(sizes), 1, squeeze=False, height_ratios=sizes)[:, 0]
    key.set_axis_off()
    if len(names) > 1:
        _key(key, names, -(-len(names) // lines))
    for axes, panel in zip(columns, panels, strict=True):
        _draw(axes, panel, names)
    figures.heading(drawn, title)
    figures.note(drawn, note)
    return drawn


def _in_lines(names: Sequence[str]) -> int:
    """Lines that a key of these names takes, so that none is cut."""
    for lines in range(1, len(names)):
        across = -(-len(names) // lines)
        if across * (max(map(len, names)) + 5) <= _LETTERS:
            return lines
    return max(1, len(names))


def _height(row: PointRow) -> float:
    """Inches: a line for each point, and a gap."""
    return 0.15 + 0.13 * len(row.points)


def _draw(axes: Axes, panel: PointPanel, names: Sequence[str]) -> None:
    figures.plain(axes, title=panel.title, across=panel.across)
    axes.grid(visible=False, axis="y")
    edge, middles = 0.0, []
    for number, row in enumerate(panel.rows):
        height = _height(row)
        if number % 2 == 0:
            axes.axhspan(edge, edge + height, color=figures.LINE, alpha=0.3, linewidth=0, zorder=0)
        for place, point in enumerate(row.points):
            _mark(axes, point, edge + 0.14 + 0.13 * place, names)
        middles.append(edge + height / 2)
        edge += height
        if row.remark:
            axes.annotate(
                row.remark,
                (1.0, middles[-1]),
                (6, 0),
                xycoords=("axes fraction", "data"),
                textcoords="offset points",
                va="center",
                fontsize=8.5,
                color=figures.SOFT,
                annotation_clip=False,
            )
    axes.set_ylim(edge, 0.0)
    axes.set_yticks(middles, [row.setting for row in panel.rows])
    axes.tick_params(axis="y", labelcolor=figures.INK)
    ends = [end for row in panel.rows for p in row.points for end in (p.value, p.low, p.high)]
    known = [end for end in ends if end]
    figures.logarithmic(axes, min(known) / _ROOM, max(known) * _ROOM)


def _mark(axes: Axes, point: Point, height: float, names: Sequence[str]) -> None:
    colour, marker = figures.series(names.index(point.name))
    if point.low is not None and point.high is not None:
        axes.plot([point.low, point.high], [height, height], color=colour, linewidth=1.4)
    axes.plot(
        [point.value],
        [height],
        color=colour,
        marker=marker,
        markersize=6,
        markeredgecolor="white",
        markeredgewidth=0.6,
        linestyle="",
    )


def _key(axes: Axes, names: Sequence[str], columns: int) -> None:
    from matplotlib.lines import Line2D  # lazy for start-up time alone

    marks = []
    for number in range(len(names)):
        colour, marker = figures.series(number)
        marks.append(Line2D([], [], color=colour, marker=marker, linestyle="", markersize=6))
    axes.legend(
        marks,
        list(names),
        loc="center left",
        ncols=columns,
        frameon=False,
        fontsize=9,
        labelcolor=figures.INK,
        handletextpad=0.2,
        borderaxespad=0.0,
        borderpad=0.0,
    )
