"""What quality costs: a point a system with its interval, its name beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from transduce.drawing import figures
from transduce.drawing.labels import with_fonts
from transduce.drawing.names import Box, Mark, PlacedName, place_names
from transduce.errors import DataError
from transduce.evaluation.compare import Comparison, ComparisonRow, Estimate
from transduce.metrics.known import METRICS, best_known

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.text import Annotation

__all__ = [
    "QualityPoint",
    "draw_points",
    "draw_quality_against_speed",
    "height_for",
    "speed_figure",
    "write_names",
]

_MANY = 6  # systems that a picture of the usual height has room for


@dataclass(frozen=True)
class QualityPoint:
    """A system: what it costs (or gains), above 0, and its score; ``first``: the others are held
    against it.
    """

    name: str
    across: float
    found: Estimate
    first: bool = False

    @property
    def colour(self) -> str:
        """The first system's is one of its own."""
        return figures.FIRST if self.first else figures.OTHER


def height_for(count: int) -> float:
    """Inches of axes with so many names."""
    return 4.6 + 0.3 * max(0, count - _MANY)


def draw_points(axes: Axes, points: Sequence[QualityPoint], metric: str, across: str) -> None:
    """Points and axes; better is always up. ``across`` says what the other axis is."""
    for point in points:
        found = point.found
        axes.errorbar(
            point.across,
            found.score,
            yerr=[[max(found.score - found.low, 0.0)], [max(found.high - found.score, 0.0)]],
            fmt="o",
            markersize=8,
            color=point.colour,
            elinewidth=1.3,
            capsize=3,
            markeredgecolor="white",
        )
    lower = METRICS[metric].lower_is_better
    better = "lower" if lower else "higher"
    figures.plain(axes, across=across, up=f"{METRICS[metric].label} ({better} is better)")
    _across(axes, [point.across for point in points])
    axes.margins(y=0.2)
    if lower:
        axes.invert_yaxis()


def _across(axes: Axes, values: Sequence[float]) -> None:
    """An axis with room for the names."""
    # A quarter of the span to each side, and never less than a factor of ten in all.
    room = max((max(values) / min(values)) ** 0.25, (10.0 * min(values) / max(values)) ** 0.5)
    figures.logarithmic(axes, min(values) / room, max(values) * room)


def write_names(drawn: Figure, axes: Axes, points: Sequence[QualityPoint]) -> None:
    """Put each name beside its point, or give it a line to it; once all axes are drawn."""
    names, families = with_fonts([point.name for point in points], longest=48)
    drawn.draw_without_rendering()  # settles the layout, so that places are known
    texts: list[Annotation] = []
    marks: list[Mark] = []
    for point, name in zip(points, names, strict=True):
        found = point.found
        text = axes.annotate(
            name.replace("␣", " "),
            (point.across, found.score),
            fontsize=8.5,
            fontfamily=list(families),
            color=point.colour,
            parse_math=False,
        )
        text.set_in_layout(False)
        texts.append(text)
        size = text.get_window_extent()
        ends = [
            axes.transData.transform((point.across, y))
            for y in (found.score, found.low, found.high)
        ]
        (across, up), (_, low), (_, high) = ends
        low, high = sorted((float(low), float(high)))
        marks.append(Mark(float(across), float(up), low, high, size.width, size.height))
    area = axes.get_window_extent()
    placed = place_names(marks, Box(area.x0, area.y0, area.x1, area.y1))
    for text, mark, place, point in zip(texts, marks, placed, points, strict=True):
        _move(text, mark, place, point.colour, 72 / drawn.dpi)


def _move(text: Annotation, mark: Mark, place: PlacedName, colour: str, points: float) -> None:
    """``points`` are those of a pixel."""
    box = place.box
    text.set_anncoords("offset points")
    text.set_position(((box.left - mark.across) * points, (box.bottom - mark.up) * points))
    if place.leader is None:
        return
    end = place.leader
    arrow: dict[str, Any] = {"arrowstyle": "-", "color": colour, "linewidth": 0.8}
    text.axes.annotate(  # type: ignore[union-attr]
        "",
        text.xy,
        ((end[0] - mark.across) * points, (end[1] - mark.up) * points),
        textcoords="offset points",
        arrowprops={**arrow, "shrinkA": 0, "shrinkB": 4},
    ).set_in_layout(False)


def draw_quality_against_speed(
    comparison: Comparison, path: str | Path, *, metric: str | None = None
) -> None:
    """Draw quality (with its bootstrap interval) against words a second, one point a system.

    ``metric`` is one of the comparison's; none: the one that is quoted most.
    Systems whose speed was not measured are left out. The file appears whole or
    not at all. Raises DataError where the metric or every speed is missing, or
    the file cannot be written.
    """
    figures.save(speed_figure(comparison, metric), path)


def speed_figure(comparison: Comparison, metric: str | None = None) -> Figure:
    """The picture, not yet written. Raises DataError where metric or every speed is missing."""
    if metric is None:
        metric = best_known(comparison.metrics) or comparison.metrics[0]
    if metric not in comparison.metrics:
        known = ", ".join(comparison.metrics)
        raise DataError(f"metric of the picture must be among {known}; got {metric}")
    rows = [row for row in comparison.rows if row.words_per_second]
    if not rows:
        raise DataError("words_per_second must be known of at least one system; got none")
    points = [
        QualityPoint(
            _caption(row),
            float(row.words_per_second or 0.0),
            row.scores[metric],
            row is comparison.rows[0],
        )
        for row in rows
    ]
    drawn = figures.figure(figures.WIDTH, height_for(len(rows)))
    axes: Axes = drawn.add_subplot()
    draw_points(axes, points, metric, "words per second (further right is faster)")
    figures.heading(
        drawn,
        f"Quality against speed, {comparison.sentences:,} sentences, "
        f"{100 * comparison.confidence:g} % intervals",
    )
    write_names(drawn, axes, points)
    return drawn


def _caption(row: ComparisonRow) -> str:
    if row.parameters is None:
        return row.name
    size = row.parameters
    for unit in ("", "k", "M"):
        if size < 1000:
            return f"{row.name} ({size:.3g}{unit})"
        size /= 1000  # type: ignore[assignment]
    return f"{row.name} ({size:.3g}G)"
