"""Pictures as PNG files: where a model looked, and what quality costs in speed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from transduce.drawing.figures import (
    FIRST,
    INK,
    LINE,
    LONGEST_SIDE,
    OTHER,
    SOFT,
    bare,
    figure,
    save,
)
from transduce.drawing.labels import with_fonts
from transduce.errors import DataError
from transduce.evaluation.compare import Comparison, ComparisonRow, Estimate
from transduce.metrics.known import METRICS, best_known

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_attention", "draw_quality_against_speed"]

_LABEL = 60  # characters of a symbol that are drawn
# Where a name may stand around its point: (right, up) in points, and its alignment.
_PLACES = (
    (9, 7, "left", "bottom"),
    (-9, 7, "right", "bottom"),
    (9, -7, "left", "top"),
    (-9, -7, "right", "top"),
    (9, 22, "left", "bottom"),
    (-9, 22, "right", "bottom"),
    (9, -22, "left", "top"),
    (-9, -22, "right", "top"),
)


def draw_attention(
    weights: ArrayLike,
    source: Sequence[str],
    output: Sequence[str],
    path: str | Path,
    *,
    title: str | None = None,
) -> None:
    """Draw attention weights ``[T, S]``: source symbols from left to right, output downwards.

    Each row is one output symbol, each column one source symbol; weights are
    from 0 to 1. Labels of any script are drawn with an installed font that has
    them, else as U+XXXX. The file appears whole or not at all. Raises
    DataError where shapes do not agree or the file cannot be written.
    """
    values = np.asarray(weights, dtype=np.float64)
    if values.ndim != 2 or values.shape != (len(output), len(source)) or not values.size:
        raise DataError(
            "attention weights must be [output symbols, source symbols] = "
            f"[{len(output)}, {len(source)}], none of them 0; got {list(values.shape)}"
        )
    if not np.isfinite(values).all():
        raise DataError("attention weights must be finite numbers; got some that are not")
    cut = [text if len(text) <= _LABEL else f"{text[:_LABEL]}…" for text in (*source, *output)]
    labels, families = with_fonts([*cut, title or ""])
    columns, rows, heading = labels[: len(source)], labels[len(source) : -1], title
    side = min(0.36, LONGEST_SIDE / max(values.shape))
    size = float(np.clip(side * 32, 3.0, 11.0))
    letters = size / 72 * 0.7  # inches that a letter takes
    left = letters * max(map(len, rows)) + 0.6
    above = max(letters * max(map(len, columns)), size / 72) + 0.6
    drawn = figure(
        max(side * len(columns) + left + 1.2, 3.2), max(side * len(rows) + above + 0.3, 2.4)
    )
    axes: Axes = drawn.add_subplot()
    image = axes.pcolormesh(
        values,
        cmap="Blues",
        vmin=0.0,
        vmax=float(values.max()) or 1.0,
        edgecolors="white",
        linewidth=min(1.2, side * 3),
    )
    axes.set_aspect("equal")
    axes.invert_yaxis()
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    text: dict[str, Any] = {
        "fontfamily": families,
        "fontsize": size,
        "color": INK,
        "parse_math": False,
    }
    axes.set_xticks(np.arange(len(columns)) + 0.5, columns, **text)
    for label in axes.get_xticklabels():
        label.set_rotation(90 if len(label.get_text()) > 2 else 0)
    axes.set_yticks(np.arange(len(rows)) + 0.5, rows, **text)
    axes.set_xlabel("source", color=SOFT, fontsize=9)
    axes.set_ylabel("output", color=SOFT, fontsize=9)
    axes.tick_params(length=0)
    bare(axes)
    bar = drawn.colorbar(image, ax=axes, shrink=min(1.0, 3.0 / drawn.get_figheight()), pad=0.02)
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=0, labelsize=8, labelcolor=SOFT)
    bar.set_label("attention weight", color=SOFT, fontsize=9)
    if heading:
        axes.set_title(
            labels[-1].replace("␣", " "),
            fontfamily=families,
            fontsize=11,
            color=INK,
            parse_math=False,
            loc="left",
            pad=10,
        )
    save(drawn, path)


def draw_quality_against_speed(
    comparison: Comparison, path: str | Path, *, metric: str | None = None
) -> None:
    """Draw quality (with its bootstrap interval) against words a second, one point a system.

    ``metric`` is one of the comparison's; none: the one that is quoted most.
    Systems whose speed was not measured are left out. The file appears whole or
    not at all. Raises DataError where the metric or every speed is missing, or
    the file cannot be written.
    """
    if metric is None:
        metric = best_known(comparison.metrics) or comparison.metrics[0]
    if metric not in comparison.metrics:
        known = ", ".join(comparison.metrics)
        raise DataError(f"metric of the picture must be among {known}; got {metric}")
    rows = [row for row in comparison.rows if row.words_per_second]
    if not rows:
        raise DataError("words_per_second must be known of at least one system; got none")
    names, families = with_fonts([_caption(row) for row in rows], longest=48)
    drawn = figure(7.2, 4.6)
    axes: Axes = drawn.add_subplot()
    points = []
    for row in rows:
        found = row.scores[metric]
        speed = float(row.words_per_second or 0.0)
        color = FIRST if row is comparison.rows[0] else OTHER
        points.append((speed, found, color))
        axes.errorbar(
            speed,
            found.score,
            yerr=[[max(found.score - found.low, 0.0)], [max(found.high - found.score, 0.0)]],
            fmt="o",
            markersize=8,
            color=color,
            elinewidth=1.3,
            capsize=3,
            markeredgecolor="white",
        )
    _speed_axes(axes, [speed for speed, _, _ in points])
    lower = METRICS[metric].lower_is_better
    axes.set_xlabel("words per second (further right is faster)", color=SOFT, fontsize=9)
    axes.set_ylabel(
        f"{METRICS[metric].label} ({'lower' if lower else 'higher'} is better)",
        color=SOFT,
        fontsize=9,
    )
    axes.margins(y=0.18)
    if lower:
        axes.invert_yaxis()  # better is up and right in every such picture
    axes.set_title(
        f"Quality against speed, {comparison.sentences:,} sentences, "
        f"{100 * comparison.confidence:g} % intervals",
        loc="left",
        fontsize=11,
        color=INK,
    )
    _write_names(drawn, axes, points, [name.replace("␣", " ") for name in names], families)
    save(drawn, path)


def _caption(row: ComparisonRow) -> str:
    if row.parameters is None:
        return row.name
    size = row.parameters
    for unit in ("", "k", "M"):
        if size < 1000:
            return f"{row.name} ({size:.3g}{unit})"
        size /= 1000  # type: ignore[assignment]
    return f"{row.name} ({size:.3g}G)"


def _speed_axes(axes: Axes, speeds: Sequence[float]) -> None:
    """A logarithmic axis with plain numbers and room for the names."""
    from matplotlib.ticker import (  # lazy for start-up time alone
        FuncFormatter,
        LogLocator,
        NullLocator,
    )

    axes.set_xscale("log")
    # A quarter of the span to each side, and never less than a factor of ten in all.
    room = max((max(speeds) / min(speeds)) ** 0.25, (10.0 * min(speeds) / max(speeds)) ** 0.5)
    axes.set_xlim(min(speeds) / room, max(speeds) * room)
    axes.xaxis.set_major_locator(LogLocator(base=10, subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.4g}"))
    axes.grid(color=LINE, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, labelsize=8, labelcolor=SOFT)
    bare(axes)


def _write_names(
    drawn: Figure,
    axes: Axes,
    points: Sequence[tuple[float, Estimate, str]],
    names: Sequence[str],
    families: Sequence[str],
) -> None:
    """Put each name where it covers neither another name nor a point, if there is such a place."""
    from matplotlib.patheffects import Normal, Stroke  # lazy for start-up time alone

    drawn.draw_without_rendering()  # settles the layout, so that places are known
    pixels = [
        axes.transData.transform((speed, height))
        for speed, found, _ in points
        for height in (found.low, found.score, found.high)
    ]
    taken: list[Any] = []
    inside = axes.get_window_extent()
    for (speed, found, color), name in zip(points, names, strict=True):
        best: tuple[int, Any, Any] | None = None
        for right, up, horizontal, vertical in _PLACES:
            note = axes.annotate(
                name,
                (speed, found.score),
                xytext=(right, up),
                textcoords="offset points",
                ha=horizontal,
                va=vertical,
                fontsize=8.5,
                fontfamily=list(families),
                color=color,
                parse_math=False,
                path_effects=[Stroke(linewidth=3, foreground="white"), Normal()],
            )
            note.set_in_layout(False)
            box = note.get_window_extent()
            covered = sum(box.overlaps(other) for other in taken)
            covered += sum(box.padded(5).contains(*pixel) for pixel in pixels)
            covered += not (inside.contains(*box.min) and inside.contains(*box.max))
            if best is None or covered < best[0]:
                if best is not None:
                    best[1].remove()
                best = (covered, note, box)
            else:
                note.remove()
            if covered == 0:
                break
        if best is not None:
            taken.append(best[2])
