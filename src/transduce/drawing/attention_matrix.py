"""Where a model looked: attention weights as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from transduce.drawing import figures
from transduce.drawing.labels import with_fonts
from transduce.errors import DataError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["MARKS", "attention_figure", "draw_attention", "require_weights"]

MARKS = (0.0, 0.05, 0.25, 0.5, 1.0)  # of the scale where small weights are to be seen
_EVEN = (0.0, 0.25, 0.5, 0.75, 1.0)
_MARKED = 12  # positions of a recording that have a time
_LETTERS = 11.0  # of a title to an inch
_ABOVE_ONE = 0.01  # what sums in half precision may be too large by


def draw_attention(
    weights: ArrayLike,
    source: Sequence[str],
    output: Sequence[str],
    path: str | Path,
    *,
    title: str | None = None,
    fine: bool = False,
) -> None:
    """Draw attention weights ``[T, S]``: source symbols from left to right, output downwards.

    Each row is one output symbol, each column one source symbol; the scale is always from 0 to
    1, so pictures can be compared. With ``fine``, for hundreds of positions, columns are as narrow
    as a page needs and colours follow the root of a weight, so that small ones can be seen.
    Labels of any script are drawn with an installed font that has them, else as U+XXXX. The file
    appears whole or not at all. Raises DataError where shapes do not agree, weights are not from
    0 to 1 or the file cannot be written.
    """
    figures.save(attention_figure(weights, source, output, title=title, fine=fine), path)


def require_weights(weights: ArrayLike) -> NDArray[np.float64]:
    """As an array. Raises DataError where some are no numbers from 0 to 1."""
    values = np.asarray(weights, dtype=np.float64)
    if not np.isfinite(values).all():
        raise DataError("attention weights must be finite numbers; got some that are not")
    if values.size and not (values.min() >= 0 and values.max() <= 1 + _ABOVE_ONE):
        raise DataError(
            f"attention weights must be from 0 to 1; got {values.min():.3g} to {values.max():.3g}"
        )
    return values


def attention_figure(
    weights: ArrayLike,
    source: Sequence[str],
    output: Sequence[str],
    *,
    title: str | None = None,
    fine: bool = False,
) -> Figure:
    """The picture of :func:`draw_attention`, not yet written. Raises DataError."""
    values = np.asarray(weights, dtype=np.float64)
    if values.ndim != 2 or values.shape != (len(output), len(source)) or not values.size:
        raise DataError(
            "attention weights must be [output symbols, source symbols] = "
            f"[{len(output)}, {len(source)}], none of them 0; got {list(values.shape)}"
        )
    values = require_weights(values)
    labels, families = with_fonts([*source, *output])
    columns, rows = labels[: len(source)], labels[len(source) :]
    side = 0.36 if fine else min(0.36, figures.LONGEST_SIDE / max(values.shape))
    size = float(np.clip(side * 32, 3.0, 11.0))
    letters = size / 72 * 0.7  # inches that a letter takes
    left = letters * max(map(len, rows)) + 0.6
    above = max(letters * max(map(len, columns)), size / 72) + 0.9
    width = figures.WIDTH if fine else max(side * len(columns) + left + 1.2, 3.2)
    high = min(side * len(rows), figures.LONGEST_SIDE)
    drawn = figures.figure(width, max(high + above + 0.3, 2.4))
    axes: Axes = drawn.add_subplot()
    image = axes.pcolormesh(
        values,
        cmap="Blues",
        norm=_scale(fine),
        edgecolors="none" if fine else "white",
        linewidth=0.0 if fine else min(1.2, side * 3),
    )
    axes.set_aspect("auto" if fine else "equal")
    axes.invert_yaxis()
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    figures.plain(axes, across="source", up="output")
    axes.grid(visible=False)
    text: dict[str, Any] = {
        "fontfamily": families,
        "fontsize": size,
        "color": figures.INK,
        "parse_math": False,
    }
    named = list(range(len(columns)))
    if fine:  # seconds, as many of them as there is room for
        columns = [column.replace("␣", " ") for column in columns]
        named = [place for place in named if columns[place]]
        named = named[:: -(-len(named) // _MARKED) or 1]
    axes.set_xticks([n + 0.5 for n in named], [columns[n] for n in named], **text)
    for label in axes.get_xticklabels():
        label.set_rotation(90 if len(label.get_text()) > 2 and not fine else 0)
    axes.set_yticks(np.arange(len(rows)) + 0.5, rows, **text)
    bar = drawn.colorbar(image, ax=axes, shrink=min(1.0, 3.0 / drawn.get_figheight()), pad=0.02)
    bar.set_ticks(list(MARKS if fine else _EVEN))
    bar.ax.set_yticklabels([f"{mark:g}" for mark in (MARKS if fine else _EVEN)])
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=0, labelsize=8.5, labelcolor=figures.SOFT)
    bar.set_label("attention weight", color=figures.SOFT, fontsize=9)
    if title:
        [shown], families = with_fonts([title], longest=max(12, int(width * _LETTERS)))
        figures.heading(drawn, shown.replace("␣", " "), families)
    return drawn


def _scale(fine: bool) -> Any:
    from matplotlib.colors import Normalize, PowerNorm  # lazy for start-up time alone

    return PowerNorm(0.5, 0.0, 1.0) if fine else Normalize(0.0, 1.0)
