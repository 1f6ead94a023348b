"""What a confidence is good for: how much is wrong among the outputs that are kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from transduce.drawing.figures import FIRST, LINE, OTHER, SOFT, figure, heading, plain, save
from transduce.drawing.labels import with_fonts
from transduce.evaluation.confidence_report import ConfidenceReport

__all__ = ["draw_risk"]

_POINTS = 1000


def draw_risk(report: ConfidenceReport, path: str | Path, title: str) -> None:
    """Draw the risk at each coverage (PNG): by confidence, and by log-probability beside it.

    Raises DataError where the file cannot be written.
    """
    drawn = figure(6.4, 4.2)
    axes = drawn.subplots()
    places = np.unique(np.linspace(0, report.count - 1, min(report.count, _POINTS)).astype(int))
    coverage = 100 * (places + 1) / report.count
    whole = 100 * report.risk[-1]
    axes.axhline(whole, color=LINE, linewidth=1.2, zorder=0)
    axes.text(0, whole, " all outputs, in any order", color=SOFT, fontsize=9, va="bottom")
    for name, risk, colour in (
        ("log-probability", report.raw_risk, OTHER),
        ("confidence", report.risk, FIRST),
    ):
        axes.plot(coverage, 100 * risk[places], color=colour, linewidth=1.8, label=name)
    wrong = "wrong" if report.kind == "right" else "short of chrF 100"
    plain(axes, across="surest outputs that are kept, %", up=f"{wrong}, %")
    axes.set_xlim(0, 100)
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(0, 0.9))
    [shown], families = with_fonts([title], longest=80)
    heading(drawn, shown.replace("␣", " "), families)
    save(drawn, path)
