"""What made a model write something, drawn: over symbols, or on a spectrogram or picture."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from transduce.drawing.figures import (
    FIRST,
    INK,
    LINE,
    LONGEST_SIDE,
    OTHER,
    SOFT,
    bare,
    figure,
    heading,
    rgb,
    save,
)
from transduce.drawing.labels import quiet, with_fonts
from transduce.errors import DataError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["Backdrop", "WeightPanel", "draw_weight_map", "draw_weights_on_picture"]

_SIDE = 0.36  # inches of a square
_PANEL = (3.3, 1.7)  # inches of a panel, at most
_ACROSS = 3  # panels side by side
_FAINT = 0.5  # how much of a picture is left under the weights
_STRONGEST = 0.85
_LETTERS = 17.0  # of a note to an inch
_MARKS = 5  # along an axis
_LONGEST = 28  # characters of a row's name


@dataclass(frozen=True, slots=True)
class WeightPanel:
    """Weights ``[Q, S]``, from -1 to 1, with a name for each column."""

    title: str
    names: Sequence[str]
    weights: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Backdrop:
    """A picture, uint8 ``[Y, X]`` or ``[Y, X, 3]``, and how far its axes go.

    ``right`` and ``marks`` (place from 0, the bottom, to 1, and a label) are those of a
    spectrogram; a plain picture has none.
    """

    picture: NDArray[np.uint8]
    right: float | None = None
    marks: Sequence[tuple[float, str]] = ()


def draw_weight_map(
    panels: Sequence[WeightPanel],
    rows: Sequence[tuple[str, str]],
    path: str | Path,
    *,
    title: str = "",
    note: str = "",
) -> None:
    """Draw panels side by side over the same rows, each a name and a number that is shown.

    Red speaks for a row, blue against it. The file is PNG or SVG, as its name ends, and appears
    whole or not at all. Raises DataError where there is nothing to draw, or the file cannot be
    written.
    """
    widest = sum(len(panel.names) for panel in panels)
    if not widest or not rows:
        raise DataError("weights must be of at least one symbol and one output symbol; got none")
    every = [name for panel in panels for name in panel.names]
    own = [name for name, _ in rows]
    labels, families = with_fonts([*every, *own, title], longest=_LONGEST)
    labels[widest:-1] = _spaced(own, labels[widest:-1])
    left = 0.08 * max(map(len, labels[widest:-1])) + 0.2
    above = 0.08 * max(map(len, labels[:widest])) + 0.35
    side = min(_SIDE, LONGEST_SIDE / max(widest, len(rows)))
    drawn = figure(
        max(side * widest + left + 0.5 * len(panels) + 0.5, 5.2),
        side * len(rows) + above + 0.3 * bool(title) + 0.6,
    )
    ratios = [len(panel.names) for panel in panels]
    columns = drawn.subplots(1, len(panels), width_ratios=ratios, squeeze=False)[0]
    place = 0
    size = float(np.clip(side * 27, 3.0, 9.5))
    text: dict[str, Any] = {
        "fontfamily": families,
        "fontsize": size,
        "color": INK,
        "parse_math": False,
    }
    for number, (axes, panel) in enumerate(zip(columns, panels, strict=True)):
        names = labels[place : place + len(panel.names)]
        place += len(panel.names)
        _map(axes, panel, names, labels[widest:-1] if not number else None, text, side)
    for place, (_, score) in enumerate(rows):  # beside the last panel
        last = len(panels[-1].names) + 0.25
        columns[-1].text(last, place + 0.5, score, fontsize=0.85 * size, color=SOFT, va="center")
    _write_around(drawn, labels[-1] if title else "", note, families)
    save(drawn, path)


def _spaced(names: Sequence[str], labels: Sequence[str]) -> list[str]:
    """A name of several words keeps its spaces; a symbol's are shown."""
    both = zip(names, labels, strict=True)
    return [label.replace("␣", " ") if " " in name.strip() else label for name, label in both]


def _map(
    axes: Axes,
    panel: WeightPanel,
    names: Sequence[str],
    rows: Sequence[str] | None,
    text: dict[str, Any],
    side: float,
) -> None:
    axes.pcolormesh(
        panel.weights,
        cmap=_colours(),
        vmin=-1.0,
        vmax=1.0,
        edgecolors="#e7eaee",
        linewidth=min(0.8, side * 2),
    )
    axes.set_aspect("equal")
    axes.invert_yaxis()
    axes.xaxis.tick_top()
    axes.set_xticks(np.arange(len(names)) + 0.5, names, **text)
    for label in axes.get_xticklabels():
        label.set_rotation(90 if len(label.get_text()) > 2 else 0)
    shown = [] if rows is None else rows
    axes.set_yticks(np.arange(len(shown)) + 0.5, shown, **text)
    axes.set_xlabel(panel.title, color=SOFT, fontsize=9)
    axes.tick_params(length=0)
    bare(axes)


def draw_weights_on_picture(
    backdrop: Backdrop,
    weights: NDArray[np.float64],
    rows: Sequence[tuple[str, str]],
    path: str | Path,
    *,
    title: str = "",
    note: str = "",
) -> None:
    """Draw weights ``[Q, rows, columns]``, from -1 to 1, row 0 uppermost, a panel each.

    Raises DataError as :func:`draw_weight_map`.
    """
    if not len(rows):
        raise DataError("weights must be of at least one output symbol; got none")
    names = [name for name, _ in rows]
    labels, families = with_fonts([*names, title], longest=_LONGEST)
    labels[:-1] = _spaced(names, labels[:-1])
    Y, X = backdrop.picture.shape[:2]
    spoken = backdrop.right is not None
    wide, high = _PANEL if spoken else _fitting(X / Y)
    across = min(len(rows), max(1, int(_ACROSS * _PANEL[0] / wide)))
    down = math.ceil(len(rows) / across)
    drawn = figure(
        max(across * (wide + 0.25), 4.0),
        min(LONGEST_SIDE, down * (high + (0.62 if spoken else 0.32)) + 0.7),
    )
    panels = drawn.subplots(down, across, squeeze=False)
    for axes, name, (_, score), own in zip(panels.flat, labels, rows, weights, strict=False):
        _on_picture(axes, backdrop, own)
        axes.set_title(
            name, fontsize=9.5, color=INK, fontfamily=families, parse_math=False, loc="left", pad=3
        )
        axes.set_title(score, fontsize=7.5, color=SOFT, loc="right", pad=3)
    for axes in panels.flat[len(rows) :]:
        axes.set_axis_off()
    _write_around(drawn, labels[-1] if title else "", note, families)
    save(drawn, path)


def _fitting(aspect: float) -> tuple[float, float]:
    width = min(_PANEL[0], _PANEL[1] * aspect)
    return max(width, 0.8), max(width / aspect, 0.4)


def _on_picture(axes: Axes, backdrop: Backdrop, weights: NDArray[np.float64]) -> None:
    """The picture, pale, and the weights over it."""
    values = backdrop.picture.astype(np.float64) / 255
    if values.ndim == 2:
        values = np.repeat(values[..., None], 3, axis=2)
    if backdrop.right is not None:
        values = 1 - values  # ink where there is sound
    right = backdrop.right or values.shape[1]
    place = (0.0, right, 0.0, 1.0)
    axes.imshow(values * _FAINT + 1 - _FAINT, extent=place, aspect="auto", interpolation="nearest")
    glow = _colours()((weights + 1) / 2)
    glow[..., :3] = np.where(weights[..., None] > 0, rgb(FIRST), rgb(OTHER)) / 255
    glow[..., 3] = np.abs(weights) * _STRONGEST
    axes.imshow(glow, extent=place, aspect="auto", interpolation="nearest")
    axes.tick_params(length=0, labelsize=7, labelcolor=SOFT, pad=3)
    if backdrop.right is None:
        for spine in axes.spines.values():
            spine.set_color(LINE)
        axes.set_xticks([])
        axes.set_yticks([])
        return
    bare(axes)
    axes.set_xlabel("seconds", fontsize=7, color=SOFT, labelpad=1)
    few = list(backdrop.marks)[:: max(1, math.ceil(len(backdrop.marks) / _MARKS))]
    axes.set_yticks([at for at, _ in few], [label for _, label in few])


def _colours() -> Any:
    with quiet():
        from matplotlib.colors import LinearSegmentedColormap  # lazy for start-up time alone

        return LinearSegmentedColormap.from_list("weights", [OTHER, "#ffffff", FIRST])


def _write_around(drawn: Figure, title: str, note: str, families: Sequence[str]) -> None:
    heading(drawn, title.replace("␣", " "), families)
    if note:
        letters = max(40, int(drawn.get_figwidth() * _LETTERS))
        drawn.supxlabel(
            "\n".join(textwrap.wrap(note, letters)),
            x=0.01,
            ha="left",
            fontsize=7.5,
            color=SOFT,
            parse_math=False,
        )
