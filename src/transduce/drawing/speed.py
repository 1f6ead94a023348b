"""What quality costs in speed: a point a system, its name beside it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from transduce.drawing import figures
from transduce.drawing.labels import with_fonts
from transduce.drawing.names import Box, Mark, PlacedName, place_names
from transduce.errors import DataError
from transduce.evaluation.compare import Comparison, ComparisonRow
from transduce.metrics.known import METRICS, best_known

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.text import Annotation

__all__ = ["draw_quality_against_speed", "speed_figure"]

_MANY = 6  # systems that a picture of the usual height has room for


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
    drawn = figures.figure(figures.WIDTH, 4.6 + 0.3 * max(0, len(rows) - _MANY))
    axes: Axes = drawn.add_subplot()
    for row in rows:
        _point(axes, row, metric, _colour(row, comparison))
    lower = METRICS[metric].lower_is_better
    figures.plain(
        axes,
        across="words per second (further right is faster)",
        up=f"{METRICS[metric].label} ({'lower' if lower else 'higher'} is better)",
    )
    _across(axes, [float(row.words_per_second or 0.0) for row in rows])
    axes.margins(y=0.2)
    if lower:
        axes.invert_yaxis()  # better is up and right in every such picture
    figures.heading(
        drawn,
        f"Quality against speed, {comparison.sentences:,} sentences, "
        f"{100 * comparison.confidence:g} % intervals",
    )
    _write_names(drawn, axes, rows, metric, [_colour(row, comparison) for row in rows])
    return drawn


def _colour(row: ComparisonRow, comparison: Comparison) -> str:
    """The first system's is one of its own: all others are held against it."""
    return figures.FIRST if row is comparison.rows[0] else figures.OTHER


def _point(axes: Axes, row: ComparisonRow, metric: str, colour: str) -> None:
    found = row.scores[metric]
    axes.errorbar(
        float(row.words_per_second or 0.0),
        found.score,
        yerr=[[max(found.score - found.low, 0.0)], [max(found.high - found.score, 0.0)]],
        fmt="o",
        markersize=8,
        color=colour,
        elinewidth=1.3,
        capsize=3,
        markeredgecolor="white",
    )


def _across(axes: Axes, speeds: Sequence[float]) -> None:
    """An axis with room for the names."""
    # A quarter of the span to each side, and never less than a factor of ten in all.
    room = max((max(speeds) / min(speeds)) ** 0.25, (10.0 * min(speeds) / max(speeds)) ** 0.5)
    figures.logarithmic(axes, min(speeds) / room, max(speeds) * room)


def _caption(row: ComparisonRow) -> str:
    if row.parameters is None:
        return row.name
    size = row.parameters
    for unit in ("", "k", "M"):
        if size < 1000:
            return f"{row.name} ({size:.3g}{unit})"
        size /= 1000  # type: ignore[assignment]
    return f"{row.name} ({size:.3g}G)"


def _write_names(
    drawn: Figure, axes: Axes, rows: Sequence[ComparisonRow], metric: str, colours: Sequence[str]
) -> None:
    """Put each name beside its point, or give it a line to it."""
    names, families = with_fonts([_caption(row) for row in rows], longest=48)
    drawn.draw_without_rendering()  # settles the layout, so that places are known
    texts: list[Annotation] = []
    marks: list[Mark] = []
    for row, name, colour in zip(rows, names, colours, strict=True):
        found, speed = row.scores[metric], float(row.words_per_second or 0.0)
        text = axes.annotate(
            name.replace("␣", " "),
            (speed, found.score),
            fontsize=8.5,
            fontfamily=list(families),
            color=colour,
            parse_math=False,
        )
        text.set_in_layout(False)
        texts.append(text)
        size = text.get_window_extent()
        ends = [axes.transData.transform((speed, y)) for y in (found.score, found.low, found.high)]
        (across, up), (_, low), (_, high) = ends
        low, high = sorted((float(low), float(high)))
        marks.append(Mark(float(across), float(up), low, high, size.width, size.height))
    area = axes.get_window_extent()
    placed = place_names(marks, Box(area.x0, area.y0, area.x1, area.y1))
    for text, mark, place, colour in zip(texts, marks, placed, colours, strict=True):
        _move(text, mark, place, colour, 72 / drawn.dpi)


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
