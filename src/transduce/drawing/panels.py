"""Many small pictures on one: where a model looked in a picture, and what it says of pictures."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from transduce.drawing.attention_matrix import MARKS, require_weights
from transduce.drawing.figures import FIRST, INK, LINE, LONGEST_SIDE, OTHER, SOFT, figure, save
from transduce.drawing.labels import with_fonts
from transduce.errors import DataError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "SheetEntry",
    "draw_contact_sheet",
    "draw_picture_attention",
    "picture_attention_figure",
]

_PAGE = 11.0  # inches across, where there are panels enough
_AREA = 1.6  # square inches of a panel
_GAP = 0.18  # inches between panels
_LINE_HEIGHT = 0.19  # inches that a line of text takes
_LETTER = 0.078  # inches that a letter takes
_TITLE_LETTER = 0.1  # and one of a title
_FAINT = 0.55  # how much of the picture is left under the weights
_LINES = 3  # of text at most, of an output and of a reference


@dataclass(frozen=True, slots=True)
class SheetEntry:
    """A picture (uint8 ``[Y, X]`` or ``[Y, X, C]``), what was said of it, and what is right.

    ``references`` may be empty where nobody knows.
    """

    picture: NDArray[np.uint8]
    output: str
    references: tuple[str, ...] = ()


def draw_picture_attention(
    weights: ArrayLike,
    picture: NDArray[np.uint8],
    output: Sequence[str],
    path: str | Path,
    *,
    cell_width: int,
    title: str | None = None,
) -> None:
    """Draw the attention of each output symbol onto the picture, one panel a symbol.

    ``weights`` are ``[T, rows, columns]``, from 0 to 1: the picture uint8 ``[Y, X]`` or
    ``[Y, X, C]`` is cut into so many rows of equal height and into columns of ``cell_width``
    pixels, of which the last may reach beyond it. All panels of all pictures have one scale, from
    0 to 1, so a pale one is of a symbol that looked at no place in particular. The file appears
    whole or not at all. Raises DataError where shapes do not agree or the file cannot be written.
    """
    drawn = picture_attention_figure(weights, picture, output, cell_width=cell_width, title=title)
    save(drawn, path)


def picture_attention_figure(
    weights: ArrayLike,
    picture: NDArray[np.uint8],
    output: Sequence[str],
    *,
    cell_width: int,
    title: str | None = None,
) -> Figure:
    """The picture of :func:`draw_picture_attention`, not yet written. Raises DataError."""
    values = np.asarray(weights, dtype=np.float64)
    if values.ndim != 3 or len(values) != len(output) or not values.size:
        raise DataError(
            "attention weights must be [output symbols, rows, columns] with "
            f"{len(output)} output symbols, none of them 0; got {list(values.shape)}"
        )
    values = require_weights(values)
    labels, families = with_fonts(output)
    height, width = picture.shape[:2]
    page = _Page(len(output), width / height, above=1, below=0, heading=2.3 if title else 1)
    pale = _as_colour(picture) * _FAINT + (1 - _FAINT)
    glow = np.empty((*values.shape[1:], 4))
    glow[..., :3] = _rgb(FIRST)
    for number, (label, (left, top)) in enumerate(zip(labels, page.places(), strict=True)):
        page.image(pale, left, top)
        glow[..., 3] = _glow(values[number])
        wide = page.width * values.shape[2] * cell_width / width
        page.image(glow, left, top, width=wide, within=page.width)
        page.text(label, left, top - _LINE_HEIGHT * 0.3, families, INK, bottom=True)
    if title:
        [shown], families = with_fonts([title], longest=max(12, int(page.across / _TITLE_LETTER)))
        page.text(shown.replace("␣", " "), 0, _LINE_HEIGHT * 0.4, families, INK, size=11)
    page.scale("attention weight", [(_glow(mark), f"{mark:g}") for mark in MARKS])
    return page.drawn


def _glow(weights: Any) -> Any:
    """How much of the red: the root, since weights over hundreds of places are small."""
    return 0.8 * np.sqrt(np.minimum(weights, 1.0))


def draw_contact_sheet(
    groups: Sequence[tuple[str, Sequence[SheetEntry]]], path: str | Path
) -> None:
    """Draw pictures with what was said of each below it, group by group under its name.

    An output that is a reference stands in blue, another in red with the first reference in
    grey. The file appears whole or not at all. Raises DataError where there is no picture
    or the file cannot be written.
    """
    entries = [entry for _, group in groups for entry in group]
    if not entries:
        raise DataError("contact sheet must show at least one picture; got none")
    aspect = float(np.median([e.picture.shape[1] / e.picture.shape[0] for e in entries]))
    kinds = [name for name, group in groups for _ in group]
    letters = max(8, int(_panel(aspect)[0] / _LETTER))
    captions = [list(_caption(entry, letters)) for entry in entries]
    below = max(map(len, captions))
    page = _Page(len(entries), aspect, above=0, below=below, heading=0, groups=kinds)
    lines = [line for caption in captions for line, _ in caption]
    families = with_fonts([*lines, *kinds], longest=1000)[1]
    for entry, caption, (left, top) in zip(entries, captions, page.places(), strict=True):
        page.image(_as_colour(entry.picture), left, top, fit=True)
        for number, (line, colour) in enumerate(caption):
            place = top + page.height + _LINE_HEIGHT * (number + 0.6)
            page.text(line, left, place, families, colour)
    for name, top in page.group_places():
        page.text(name, 0, top, families, INK, size=11)
    save(page.drawn, path)


def _caption(entry: SheetEntry, letters: int) -> Iterator[tuple[str, str]]:
    """Lines of text and their colours."""
    right = entry.output in entry.references
    colour = OTHER if right or not entry.references else FIRST
    for line in _wrapped(entry.output or "(nothing)", letters):
        yield line, colour
    if not right:
        for reference in entry.references[:1]:
            for line in _wrapped(reference, letters):
                yield line, SOFT


def _wrapped(text: str, letters: int) -> list[str]:
    [shown], _ = with_fonts([text], longest=1000)
    lines = textwrap.wrap(shown.replace("␣", " "), letters) or [""]
    if len(lines) > _LINES:
        lines = [*lines[: _LINES - 1], lines[_LINES - 1][: letters - 1] + "…"]
    return lines


def _panel(aspect: float) -> tuple[float, float]:
    """Inches across and down of a panel whose sides are so many times each other."""
    width = float(np.clip(math.sqrt(_AREA * aspect), 0.9, _PAGE))
    return (width, width / aspect) if width / aspect <= 4.0 else (4.0 * aspect, 4.0)  # a tower


class _Page:
    """Panels of one size in lines, places in inches from the upper left corner."""

    def __init__(
        self,
        count: int,
        aspect: float,
        *,
        above: int,
        below: int,
        heading: float,
        groups: Sequence[str] = (),
    ) -> None:
        """``above`` and ``below`` are lines of text at each panel, ``heading`` over all."""
        self.width, self.height = _panel(aspect)
        self.heading = heading * _LINE_HEIGHT
        self._above, self._step = above * _LINE_HEIGHT, self.width + _GAP
        self._fall = self.height + (above + below) * _LINE_HEIGHT + _GAP
        self._across = max(1, min(count, int((_PAGE + _GAP) / self._step)))
        self._groups = list(groups) or [""] * count
        self._panels, self._names, bottom = self._arranged()
        self.across = page_width = max(self._across * self._step - _GAP, 4.0)
        scale = min(1.0, LONGEST_SIDE / bottom, LONGEST_SIDE / page_width)
        self._size = max(3.0, 8.5 * scale)
        margin = 0.2
        self.drawn: Figure = figure((page_width + 2 * margin) * scale, (bottom + margin) * scale)
        self.drawn.set_layout_engine("none")
        self._axes: Axes = self.drawn.add_axes((0, 0, 1, 1))
        self._axes.set_xlim(-margin, page_width + margin)
        self._axes.set_ylim(bottom, -margin)
        self._axes.set_axis_off()

    def _arranged(self) -> tuple[list[tuple[float, float]], list[tuple[str, float]], float]:
        """Places of panels and of the groups' names, and where the page ends."""
        panels, names = [], []
        top, column, current = self.heading, 0, ""
        for group in self._groups:
            if group != current:
                top += (self._fall if column else 0.0) + 0.5 * _LINE_HEIGHT
                names.append((group, top))
                top, column, current = top + 1.2 * _LINE_HEIGHT, 0, group
            elif column == self._across:
                top, column = top + self._fall, 0
            panels.append((column * self._step, top + self._above))
            column += 1
        return panels, names, top + self._fall

    def places(self) -> Iterator[tuple[float, float]]:
        """Left and top of each panel."""
        return iter(self._panels)

    def group_places(self) -> Iterator[tuple[str, float]]:
        """Each group's name and where it stands."""
        return iter(self._names)

    def image(
        self,
        values: NDArray[Any],
        left: float,
        top: float,
        *,
        width: float | None = None,
        within: float | None = None,
        fit: bool = False,
    ) -> None:
        """An image that fills its panel or, with ``fit``, keeps its shape in it.

        ``width`` is another than the panel's, ``within`` what is seen of it.
        """
        wide, high = width or self.width, self.height
        if fit:
            factor = min(self.width / values.shape[1], self.height / values.shape[0])
            wide, high = values.shape[1] * factor, values.shape[0] * factor
        place = (left, left + wide, top + high, top)
        limits = self._axes.get_xlim(), self._axes.get_ylim()
        image = self._axes.imshow(values, extent=place, aspect="auto", interpolation="nearest")
        self._axes.set_xlim(limits[0])
        self._axes.set_ylim(limits[1])
        from matplotlib.patches import Rectangle  # lazy for start-up time alone

        frame = Rectangle(
            (left, top), within or wide, high, fill=False, edgecolor=LINE, linewidth=0.5
        )
        self._axes.add_patch(frame)
        image.set_clip_path(frame)

    def scale(self, name: str, marks: Sequence[tuple[float, str]]) -> None:
        """A key of colours at the heading's foot: shares of red, and what each stands for."""
        from matplotlib.patches import Rectangle  # lazy for start-up time alone

        middle, left = self.heading - _LINE_HEIGHT * 0.7, _LETTER * (len(name) + 2)
        self.text(name, 0, middle, ("DejaVu Sans",), SOFT)
        for red, mark in marks:
            place = (left, middle - 0.06)
            red_box = Rectangle(
                place, 0.14, 0.12, facecolor=(*_rgb(FIRST), red), edgecolor=LINE, linewidth=0.5
            )
            self._axes.add_patch(red_box)
            self.text(mark, left + 0.19, middle, ("DejaVu Sans",), SOFT)
            left += 0.3 + _LETTER * (len(mark) + 0.5)

    def text(
        self,
        text: str,
        left: float,
        top: float,
        families: Sequence[str],
        colour: str,
        *,
        size: float | None = None,
        bottom: bool = False,
    ) -> None:
        """A line of text, at its middle or its foot."""
        self._axes.text(
            left,
            top,
            text,
            fontfamily=list(families),
            fontsize=size or self._size,
            color=colour,
            va="bottom" if bottom else "center",
            parse_math=False,
        )


def _as_colour(picture: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Float64 ``[Y, X, 3]`` from 0 to 1."""
    values = np.asarray(picture, dtype=np.float64) / 255
    if values.ndim == 2:
        values = values[..., None]
    return np.broadcast_to(values, (*values.shape[:2], 3)) if values.shape[2] == 1 else values


def _rgb(colour: str) -> tuple[float, float, float]:
    red, green, blue = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    return red, green, blue
