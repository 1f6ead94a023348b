"""Tables for the terminal as plain strings."""

from __future__ import annotations

import re
import shutil
import sys
import textwrap
from collections.abc import Sequence
from io import StringIO
from math import ceil

from transduce.metrics.known import METRICS

__all__ = ["number", "render_table", "score", "terminal_width", "wrapped"]

_LEAST, _NAME = 12, 24  # columns of the screen that a text, a name must have in a table
_LINES = 4  # of a cell
_BARS, _BESIDE_BARS = 40, 28  # the longest bar of a histogram; columns of what stands beside it


def terminal_width() -> int | None:
    """Columns of the screen; None where standard output is no terminal: nothing is cut there."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def render_table(
    title: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    texts: int = 1,
    width: int | None = None,
) -> str:
    """Draw a table without colours; the first ``texts`` columns are text, the others numbers.

    It is as wide as it needs to be: no line is wrapped. Where that is wider than ``width`` (none:
    that of the terminal, if there is one), the longest texts stand on several lines of their cells
    (and end after four) or, where that does not do, each row is a list of its cells.
    """
    width = terminal_width() if width is None else width
    drawn = _drawn(columns, rows, texts)
    if width is not None and max(map(_cells, drawn), default=0) > width:
        drawn = _folded(columns, rows, texts, width) or _stacked(columns, rows, width)
    return "\n".join([title, *drawn]) + "\n"


def _cells(text: str) -> int:
    from rich.cells import cell_len

    return cell_len(text)


def _drawn(
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    texts: int,
    widths: Sequence[int] | None = None,
) -> list[str]:
    from rich import box  # lazy for start-up time alone
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for index, column in enumerate(columns):
        table.add_column(
            Text(column),
            justify="left" if index < texts or (widths and _has_words(rows, index)) else "right",
            no_wrap=widths is None,
            overflow="fold",
            width=None if widths is None else widths[index],
        )
    for row in rows:
        table.add_row(*map(Text, row))  # Text: brackets and colons in names are no markup
    longest = max(sum(len(cell) + 4 for cell in row) for row in (columns, *rows))
    stream = StringIO()
    # Wide characters take two columns, hence twice the length.
    console = Console(file=stream, width=2 * longest + 8 * len(columns), color_system=None)
    console.print(table)
    return [line.rstrip() for line in stream.getvalue().rstrip().splitlines()]


def _folded(
    columns: Sequence[str], rows: Sequence[Sequence[str]], texts: int, width: int
) -> list[str] | None:
    """The table with its widest texts folded as far as it needs; None where too little is left."""
    widths = [max(_cells(row[n]) for row in (columns, *rows)) for n in range(len(columns))]
    words = [n for n in range(len(columns)) if n < texts or _has_words(rows, n)]
    # names in the first column stay whole
    least = [
        min(full, max(_NAME if n == 0 else _LEAST, _cells(columns[n])))
        for n, full in enumerate(widths)
    ]
    for _ in range(max(map(_cells, _drawn(columns, rows, texts))) - width):
        wide = [n for n in words if widths[n] > least[n]]
        if not wide:
            return None
        widths[max(wide, key=widths.__getitem__)] -= 1
    short = [
        [_shortened(cell, _LINES * most) for cell, most in zip(row, widths, strict=True)]
        for row in rows
    ]
    return _drawn(columns, short, texts, widths)


def _has_words(rows: Sequence[Sequence[str]], column: int) -> bool:
    cells = [row[column] for row in rows]
    return any(len(cell) > _LEAST and not cell[0].isdigit() for cell in cells)


def _stacked(columns: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> list[str]:
    """Each row as a line with its first cell, and below it the others, a line for each."""
    name = min(max(map(_cells, columns), default=0), width // 2)
    lines = []
    for row in rows:
        lines += ["", *([_shortened(f"  {row[0]}", width)] if row[0] else [])]
        for column, cell in zip(columns[1:], row[1:], strict=True):
            if cell:
                head = _shortened(column, name)
                head += " " * (name - _cells(head))
                lines.append(_shortened(f"    {head}  {cell}", width))
    return [line.rstrip() for line in lines]


def wrapped(text: str) -> str:
    """Lines as wide as the terminal, if there is one; what goes on is indented further.

    Bars become shorter together.
    """
    width = terminal_width()
    if width is None:
        return text
    lines: list[str] = []
    scale = min(1.0, max(1, width - _BESIDE_BARS) / _BARS)
    for line in text.splitlines():
        if "█" in line:
            lines.append(re.sub("█+", lambda found: "█" * ceil(len(found[0]) * scale), line))
        elif _cells(line) <= width:
            lines.append(line)
        else:
            indent = line[: len(line) - len(line.lstrip())]
            more = f"{indent}    "
            lines += textwrap.wrap(
                line, width, initial_indent="", subsequent_indent=more, break_on_hyphens=False
            )
    return "\n".join(lines)


def _shortened(text: str, width: int) -> str:
    """So many columns of the screen, an ellipsis at the end of what is cut."""
    if _cells(text) <= width:
        return text
    kept = text[:width]
    while _cells(kept) > width - 1:
        kept = kept[:-1]
    return f"{kept}…"


def number(value: float, digits: int = 2) -> str:
    """A score to so many digits; very large ones in powers of ten."""
    return f"{value:.{digits}f}" if abs(value) < 1e6 else f"{value:.{digits}e}"


def score(metric: str, value: float) -> str:
    """A score to the digits that its metric is shown with; a report may hold one that is none."""
    return number(value, METRICS[metric].digits if metric in METRICS else 2)
