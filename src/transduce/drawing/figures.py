"""What all pictures are drawn on and look like: figures, colours, axes, keys, how they are kept.

Not matplotlib's global state: it stays as it was, and no display is needed. Figures are as wide as
documents show them, so that no text in them is too small to read.
"""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from transduce.drawing.labels import quiet
from transduce.errors import DataError
from transduce.files import replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "FIRST",
    "INK",
    "LINE",
    "LONGEST_SIDE",
    "OTHER",
    "SOFT",
    "WIDTH",
    "bare",
    "figure",
    "heading",
    "key",
    "logarithmic",
    "note",
    "plain",
    "png",
    "rgb",
    "save",
    "series",
]

INK, SOFT, LINE = "#1f2933", "#5d6874", "#d9dee3"
FIRST, OTHER = "#b8452e", "#2b6cb0"
WIDTH = 7.2  # inches of a picture that a page shows whole
LONGEST_SIDE = 24.0  # inches
# Told apart by form as well as by colour; each has a contrast of 4.5 to white or more.
_SERIES = (
    (FIRST, "o"),
    (OTHER, "s"),
    ("#2f7d5b", "D"),
    ("#8a5fa8", "^"),
    ("#a36a00", "v"),
    (SOFT, "P"),
)
_TITLE, _TEXT, _SMALL = 11.0, 9.0, 8.5  # points
_DOTS_PER_INCH = 150
_DECADES = 3  # of an axis with marks at 1, 2 and 5; a longer one has them at 1


def figure(width: float, height: float) -> Figure:
    """An empty figure of so many inches."""
    with quiet():
        from matplotlib.figure import Figure  # lazy for start-up time alone

        return Figure(figsize=(width, height), dpi=_DOTS_PER_INCH, layout="constrained")


def series(number: int) -> tuple[str, str]:
    """Colour and marker of one of several things drawn side by side."""
    return _SERIES[number % len(_SERIES)]


def heading(drawn: Figure, text: str, families: Sequence[str] = ("DejaVu Sans",)) -> None:
    """The title of a picture, over all that is in it."""
    if text:
        options: dict[str, Any] = {"fontfamily": list(families), "parse_math": False}
        drawn.suptitle(text, x=0.01, ha="left", fontsize=_TITLE, color=INK, **options)


def note(drawn: Figure, text: str) -> None:
    """What must be known of a picture, below it."""
    if text:
        drawn.supxlabel(text, x=0.01, ha="left", fontsize=_SMALL, color=SOFT)


def rgb(colour: str) -> tuple[int, int, int]:
    """``#b8452e`` as three numbers from 0 to 255."""
    red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return red, green, blue


def bare(axes: Axes) -> None:
    """Take the frame away."""
    for spine in axes.spines.values():
        spine.set_visible(False)


def plain(axes: Axes, *, title: str = "", across: str = "", up: str = "") -> None:
    """Axes as all pictures have them: a grid in place of a frame, and what is measured."""
    bare(axes)
    axes.grid(color=LINE, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, labelsize=_SMALL, labelcolor=SOFT)
    axes.set_xlabel(across, color=SOFT, fontsize=_TEXT)
    axes.set_ylabel(up, color=SOFT, fontsize=_TEXT)
    if title:
        axes.set_title(title, loc="left", fontsize=_TITLE, color=INK)


def logarithmic(axes: Axes, low: float, high: float) -> None:
    """Across, ratios from ``low`` to ``high``, both above 0, with round numbers on the axis."""
    from matplotlib.ticker import (  # lazy for start-up time alone
        FuncFormatter,
        LogLocator,
        NullLocator,
    )

    few = high / low > 10.0**_DECADES
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    axis = axes.xaxis
    axis.set_major_locator(LogLocator(base=10, subs=(1.0,) if few else (1.0, 2.0, 5.0)))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: _number(value)))


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1 else f"{value:.12g}"


def key(axes: Axes, count: int) -> None:
    """What is what, in a line above the axes, where more than one thing is named."""
    if len(axes.get_legend_handles_labels()[1]) > 1:
        axes.legend(
            loc="lower left",
            bbox_to_anchor=(0, 1),
            ncols=count,
            frameon=False,
            fontsize=_TEXT,
            labelcolor=INK,
            borderaxespad=0.3,
            handletextpad=0.4,
            columnspacing=1.4,
        )


def png(drawn: Figure) -> bytes:
    """The picture as a PNG file holds it."""
    return _as_file(drawn, "png")


def _as_file(drawn: Figure, kind: str) -> bytes:
    data = BytesIO()
    with quiet():
        drawn.savefig(data, format=kind, facecolor="white")
    return data.getvalue()


def save(drawn: Figure, path: str | Path) -> None:
    """Write a PNG file, or SVG where its name says so, whole or not at all.

    Raises DataError where it cannot be written.
    """
    data = _as_file(drawn, "svg" if Path(path).suffix.lower() == ".svg" else "png")
    try:
        with replacing(path) as aside:
            aside.write_bytes(data)
    except OSError as error:
        message = f"picture must be a writable file; got {error.strerror}"
        raise DataError(message, file=path) from None
