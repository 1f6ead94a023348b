"""The picture of a ladder: quality against size above, against speed below."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from transduce.drawing import figures
from transduce.drawing.speed import QualityPoint, draw_points, height_for, write_names
from transduce.ladder.ladder_rows import Ladder

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["draw_ladder", "ladder_figure"]


def draw_ladder(ladder: Ladder, path: Path) -> None:
    """Write the picture. Raises DataError where the file cannot be written."""
    figures.save(ladder_figure(ladder), path)


def ladder_figure(ladder: Ladder) -> Figure:
    """Two axes with a point a rung: megabytes of the directory, tokens a second one by one."""
    first = ladder.rows[0]
    alone = min(first.tokens_per_second)
    asked = (
        (
            "megabytes on the disk (further left is smaller)",
            [row.directory_bytes / 1e6 for row in ladder.rows],
        ),
        (
            "tokens per second, one sentence at a time (further right is faster)",
            [row.tokens_per_second[alone] for row in ladder.rows],
        ),
    )
    drawn = figures.figure(figures.WIDTH, 2 * height_for(len(ladder.rows)))
    named = []
    for axes, (across, values) in zip(drawn.subplots(2, 1), asked, strict=True):
        points = [
            QualityPoint(row.name, value, ladder.estimate(row), row is first)
            for row, value in zip(ladder.rows, values, strict=True)
        ]
        draw_points(axes, points, ladder.metric, across)
        named.append((axes, points))
    figures.heading(
        drawn,
        f"Quality against size and speed, {ladder.comparison.sentences:,} sentences, "
        f"{100 * ladder.comparison.confidence:g} % intervals, {ladder.said_threads}",
    )
    for axes, points in named:
        write_names(drawn, axes, points)
    return drawn
