"""What a search kept, dropped and finished, as a tree that grows to the right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from transduce.drawing import figures
from transduce.drawing.labels import with_fonts
from transduce.errors import DataError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Twig", "draw_tree", "placed", "tree_figure"]

_COLUMN, _LINE = 0.85, 0.21  # inches that a step and a line take
_DROPPED = 2  # of each branch that are drawn where there is no room for all
_LONGEST = 9  # letters of a token


@dataclass(frozen=True, slots=True)
class Twig:
    """A branch as it is drawn: ``parent`` is the place of another in the list, -1 the root.

    ``kind`` is ``kept``, ``dropped`` or ``output``; ``note`` stands behind the name.
    """

    parent: int
    name: str
    kind: str
    note: str = ""


def placed(twigs: Sequence[Twig]) -> list[tuple[int, float]]:
    """For each twig its column (1 for those of the root) and its line, from the top.

    Each leaf has a line of its own; a branch stands at the line of its first child, so that the
    likeliest ways run straight.
    """
    children: dict[int, list[int]] = {}
    columns: list[int] = []
    for number, twig in enumerate(twigs):
        children.setdefault(twig.parent, []).append(number)
        columns.append(1 if twig.parent < 0 else columns[twig.parent] + 1)
    lines = [0.0] * len(twigs)
    leaf = 0
    waiting = children.get(-1, [])[::-1]
    order: list[int] = []
    while waiting:
        number = waiting.pop()
        order.append(number)
        if number in children:
            waiting += children[number][::-1]
        else:
            lines[number] = float(leaf)
            leaf += 1
    for number in reversed(order):
        if number in children:
            lines[number] = lines[children[number][0]]
    return list(zip(columns, lines, strict=True))


def draw_tree(twigs: Sequence[Twig], root: str, path: str | Path, *, title: str) -> None:
    """Write :func:`tree_figure` as a PNG file, whole or not at all. Raises DataError."""
    figures.save(tree_figure(twigs, root, title=title), path)


def tree_figure(twigs: Sequence[Twig], root: str, *, title: str) -> Figure:
    """What went on in blue, outputs in red, what was dropped in grey.

    Where not all lines have room, the best of what each branch dropped are drawn. Raises
    DataError where what was kept has no room.
    """
    most = int((figures.LONGEST_SIDE - 1.2) / _LINE)
    shown, hidden = list(twigs), 0
    if _lines(shown) > most:
        shown = _fewer(twigs)
        hidden = len(twigs) - len(shown)
    columns = max((column for column, _ in placed(shown)), default=0)
    wide = (columns + 2) * _COLUMN
    if _lines(shown) > most or wide > figures.LONGEST_SIDE:
        raise DataError(
            f"beam tree must have at most {most} lines and "
            f"{int(figures.LONGEST_SIDE / _COLUMN) - 2} steps to be drawn as PNG; got "
            f"{_lines(shown):,} and {columns:,}: an HTML file has room for more"
        )
    drawn = figures.figure(max(wide, figures.WIDTH), _lines(shown) * _LINE + 1.0)
    drawn.set_layout_engine("none")
    _draw(drawn, shown, root)
    figures.heading(drawn, title)
    note = "blue: kept, red: an output with its place, grey: dropped; % is the token's probability"
    if hidden:
        note += f"; {hidden:,} that were dropped are not drawn"
    figures.note(drawn, note)
    return drawn


def _lines(twigs: Sequence[Twig]) -> int:
    return 1 + int(max((line for _, line in placed(twigs)), default=0.0))


def _fewer(twigs: Sequence[Twig]) -> list[Twig]:
    """With the first of what each branch dropped; the numbers of parents follow."""
    dropped: dict[int, int] = {}
    new: dict[int, int] = {-1: -1}
    kept: list[Twig] = []
    for number, twig in enumerate(twigs):
        if twig.kind == "dropped":
            dropped[twig.parent] = dropped.get(twig.parent, 0) + 1
            if dropped[twig.parent] > _DROPPED:
                continue
        new[number] = len(kept)
        kept.append(Twig(new[twig.parent], twig.name, twig.kind, twig.note))
    return kept


def _draw(drawn: Figure, twigs: Sequence[Twig], root: str) -> None:
    height, width = drawn.get_figheight(), drawn.get_figwidth()
    axes = drawn.add_axes((0.0, 0.35 / height, 1.0, 1 - 0.85 / height))
    axes.set_axis_off()
    axes.set_xlim(0, width)
    axes.set_ylim(_lines(twigs) - 0.3, -0.7)
    names, families = with_fonts([twig.name for twig in twigs], longest=_LONGEST)
    [first], own = with_fonts([root], longest=_LONGEST + 3)
    colours = {"kept": figures.OTHER, "output": figures.FIRST, "dropped": figures.SOFT}
    places = placed(twigs)
    axes.text(0.1, 0, first, fontsize=9, fontfamily=own, color=figures.INK, va="center")
    for twig, name, (column, line) in zip(twigs, names, places, strict=True):
        colour = colours[twig.kind]
        from_column, from_line = (0, 0.0) if twig.parent < 0 else places[twig.parent]
        left, right = from_column * _COLUMN + 0.72, column * _COLUMN + 0.06
        strong = twig.kind != "dropped"
        axes.plot(
            [left, left + 0.07, left + 0.07, right],
            [from_line, from_line, line, line],
            color=colour,
            linewidth=1.6 if strong else 0.6,
            zorder=2 if strong else 1,
        )
        axes.text(
            right + 0.03,
            line,
            f"{name} {twig.note}".rstrip(),
            fontsize=8 if strong else 7,
            fontfamily=families,
            color=colour,
            va="center",
            parse_math=False,
        )
