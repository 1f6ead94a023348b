"""An explanation as a picture, PNG or SVG."""

from __future__ import annotations

from pathlib import Path

from transduce.drawing.weight_map import (
    Backdrop,
    WeightPanel,
    draw_weight_map,
    draw_weights_on_picture,
)
from transduce.errors import DataError
from transduce.explain.asking.units import edges
from transduce.explain.records.canvas import Canvas
from transduce.explain.records.weighed import Weighed
from transduce.explain.showing.lines import heading
from transduce.explain.showing.shades import scaled

__all__ = ["draw_explanation"]

_MOST_SYMBOLS = 400  # that an eye can tell apart


def draw_explanation(explanation: Weighed, path: str | Path) -> None:
    """Draw it: a map over symbols, or a panel for each row on the spectrogram or picture.

    Raises DataError where there are too many symbols to see, or the file cannot be written.
    """
    both = zip(explanation.rows, explanation.scores, strict=True)
    names = [(row, f"{score:.2f}") for row, score in both]
    _, asked, *more = heading(explanation).splitlines()
    note = "; ".join([asked, *more, "each row to its own scale"])
    if explanation.canvas is not None:
        backdrop = _backdrop(explanation.canvas)
        weights = scaled(explanation.grid)
        draw_weights_on_picture(backdrop, weights, names, path, title=explanation.output, note=note)
        return
    panels = [WeightPanel("source", explanation.source, scaled(explanation.weights))]
    if explanation.prefix_weights is not None:
        own = scaled(explanation.prefix_weights)
        panels.append(WeightPanel("written before", explanation.prefix, own))
    most = max(len(names), sum(len(panel.names) for panel in panels))
    if most > _MOST_SYMBOLS:
        raise DataError(
            f"picture must have at most {_MOST_SYMBOLS} symbols a side; got {most:,}: "
            "write FILE.html or FILE.json"
        )
    draw_weight_map(panels, names, path, title=explanation.output, note=note)


def _backdrop(canvas: Canvas) -> Backdrop:
    if not canvas.upwards:
        return Backdrop(canvas.picture)
    high = canvas.picture.shape[0]
    marks = [
        (place / high, f"{hertz:,.0f} Hz")
        for place, hertz in zip(edges(high, canvas.rows), canvas.row_edges, strict=True)
    ]
    return Backdrop(canvas.picture, canvas.column_edges[-1], marks)
