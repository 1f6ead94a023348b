"""What all pictures are drawn on: figures of their own, their colours, and how they are kept.

Not matplotlib's global state: it stays as it was, and no display is needed.
"""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from transduce.drawing.labels import quiet
from transduce.errors import DataError
from transduce.files import replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["FIRST", "INK", "LINE", "LONGEST_SIDE", "OTHER", "SOFT", "bare", "figure", "save"]

INK, SOFT, LINE = "#1f2933", "#66727f", "#d9dee3"
FIRST, OTHER = "#c8553d", "#2b6cb0"
LONGEST_SIDE = 24.0  # inches
_DOTS_PER_INCH = 150


def figure(width: float, height: float) -> Figure:
    """An empty figure of so many inches."""
    with quiet():
        from matplotlib.figure import Figure  # lazy for start-up time alone

        return Figure(figsize=(width, height), dpi=_DOTS_PER_INCH, layout="constrained")


def bare(axes: Axes) -> None:
    """Take the frame away."""
    for spine in axes.spines.values():
        spine.set_visible(False)


def save(drawn: Figure, path: str | Path) -> None:
    """Write a PNG file, whole or not at all. Raises DataError where it cannot be written."""
    data = BytesIO()
    with quiet():
        drawn.savefig(data, format="png", facecolor="white")
    try:
        with replacing(path) as aside:
            aside.write_bytes(data.getvalue())
    except OSError as error:
        message = f"picture must be a writable file; got {error.strerror}"
        raise DataError(message, file=path) from None
