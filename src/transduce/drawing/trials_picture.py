"""A picture of a tuning: what mattered, and the score of each trial against each tuned value."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from transduce.drawing.figures import FIRST, OTHER, figure, heading, logarithmic, plain, save
from transduce.errors import DataError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["TriedOption", "TriedValue", "draw_trials"]

_ACROSS = 3  # panels
_WIDTH, _HEIGHT = 3.4, 2.7  # inches of one
_ROOM = 1.3  # beside the ends of a logarithmic axis, a ratio
_FAR = 10.0  # ratio of the values' ends from which on an axis is logarithmic


@dataclass(frozen=True)
class TriedValue:
    """A trial: the place of its value, its score, and whether it was ended early."""

    place: int
    score: float
    ended_early: bool = False
    is_own: bool = False
    is_best: bool = False


@dataclass(frozen=True)
class TriedOption:
    """An option, its values in order, and what trials reached with them.

    ``importance`` is its share, 0 to 1, in how much scores differ; None where nobody knows.
    """

    name: str
    values: Sequence[float | str]
    tried: Sequence[TriedValue]
    importance: float | None = None


def draw_trials(
    options: Sequence[TriedOption], path: str | Path, *, metric: str, title: str
) -> None:
    """Draw importances, then a panel for each option: its values across, scores up (PNG).

    ``metric`` is a label with the direction that is better. The file appears whole or not at all.
    Raises DataError where there is nothing to draw or the file cannot be written.
    """
    if not any(option.tried for option in options):
        raise DataError("picture of a tuning must show at least one trial; got none")
    known = [option for option in options if option.importance is not None]
    panels = len(options) + bool(known)
    across = min(_ACROSS, panels)
    rows = math.ceil(panels / across)
    drawn = figure(_WIDTH * across, _HEIGHT * rows + 0.5)
    grid = drawn.subplots(rows, across, squeeze=False)
    axes: list[Axes] = [panel for row in grid for panel in row]
    if known:
        _draw_importances(axes[0], known)
    for panel, option in zip(axes[bool(known) :], options, strict=False):
        _draw_option(panel, option, metric)
    for panel in axes[panels:]:
        panel.set_axis_off()
    heading(drawn, title)
    save(drawn, path)


def _draw_importances(axes: Axes, options: Sequence[TriedOption]) -> None:
    ordered = sorted(options, key=lambda option: option.importance or 0.0)
    shares = [option.importance or 0.0 for option in ordered]
    axes.barh(range(len(ordered)), shares, color=OTHER, height=0.6)
    axes.set_yticks(range(len(ordered)), [option.name for option in ordered])
    axes.set_xlim(0, max(1.0, *shares))
    plain(axes, title="what mattered", across="share in how much scores differ")


def _draw_option(axes: Axes, option: TriedOption, metric: str) -> None:
    numbers = [v for v in option.values if isinstance(v, int | float)]
    as_numbers = len(numbers) == len(option.values) and _is_even(numbers)
    places = numbers if as_numbers else list(range(len(option.values)))
    for tried in option.tried:
        color = FIRST if tried.is_best else OTHER
        axes.plot(
            places[tried.place],
            tried.score,
            marker="D" if tried.is_own else "o",
            markersize=8 if tried.is_best or tried.is_own else 5.5,
            color="white" if tried.ended_early else color,
            markeredgecolor=color,
            alpha=0.6 if tried.ended_early else 0.9,
            linestyle="none",
            zorder=3 if tried.is_best else 2,
        )
    if as_numbers and min(numbers) > 0 and max(numbers) / min(numbers) >= _FAR:
        logarithmic(axes, min(numbers) / _ROOM, max(numbers) * _ROOM)
    elif not as_numbers:
        shown = [f"{v:g}" if isinstance(v, int | float) else v for v in option.values]
        axes.set_xticks(places, shown)
        axes.set_xlim(-0.5, len(places) - 0.5)
    axes.margins(y=0.12)
    plain(axes, title=option.name, up=metric)


def _is_even(numbers: Sequence[float]) -> bool:
    """Whether there are enough values for an axis of numbers; of few each gets a tick."""
    return len(numbers) > 6
