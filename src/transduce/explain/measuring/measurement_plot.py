"""How far each method can be believed, drawn: what is lost as more is taken away."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from transduce.drawing.figures import INK, SOFT, figure, plain, save
from transduce.explain.measuring.faithfulness import FRACTIONS, WAYS
from transduce.explain.measuring.measurement import RANDOM, Measurement

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_measurement"]

_COLOURS = (
    "#b8452e", "#2b6cb0", "#2f7d5b", "#8a5fa8", "#a36a00", "#008080",
    "#d0679d", "#6b8e23", "#4b5563", "#c99700", "#7c3f00",
)  # fmt: skip
_MARKERS = "osD^vP*X<>h"
_TITLES = {
    "comprehensiveness": "without the weightiest (higher is better)",
    "sufficiency": "the weightiest alone (lower is better)",
}


def draw_measurement(measured: Measurement, path: str | Path) -> None:
    """Four panels: what is taken away is masked or resampled, the weightiest or all others.

    The file (PNG) appears whole or not at all. Raises DataError where it cannot be written.
    """
    drawn = figure(8.6, 6.4)
    panels = drawn.subplots(2, 2, sharex=True)
    for line, way in enumerate(WAYS):
        for place, kind in enumerate(_TITLES):
            _panel(panels[line][place], measured, kind, way)
    for axes in panels[1]:
        axes.set_xlabel("share of the source's units", color=SOFT, fontsize=9)
    handles, names = panels[0][0].get_legend_handles_labels()
    drawn.legend(
        handles, names, loc="outside right upper", frameon=False, fontsize=8, labelcolor=INK
    )
    save(drawn, path)


def _panel(axes: Axes, measured: Measurement, kind: str, way: str) -> None:
    shares = [f"{100 * share:g} %" for share in FRACTIONS]
    number = 0
    for row in measured.rows:
        curve = row.curves[f"{kind}, {way}"]
        if row.method == RANDOM:
            axes.plot(shares, curve, color=INK, linestyle="--", label=RANDOM, linewidth=1.6)
            continue
        colour, marker = _COLOURS[number % len(_COLOURS)], _MARKERS[number % len(_MARKERS)]
        number += 1
        axes.plot(
            shares, curve, color=colour, marker=marker, markersize=4.5, linewidth=1.3,
            label=row.method,
        )  # fmt: skip
    plain(axes, up="points of probability lost")
    axes.set_title(f"{way}: {_TITLES[kind]}", loc="left", fontsize=9, color=INK)
