"""Tables for the terminal as plain strings."""

from __future__ import annotations

from collections.abc import Sequence
from io import StringIO

from transduce.metrics.known import METRICS

__all__ = ["number", "render_table", "score"]


def render_table(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], *, texts: int = 1
) -> str:
    """Draw a table without colours; the first ``texts`` columns are text, the others numbers.

    It is as wide as it needs to be: lines are never wrapped or cut.
    """
    from rich import box  # lazy for start-up time alone
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for index, column in enumerate(columns):
        table.add_column(Text(column), justify="left" if index < texts else "right", no_wrap=True)
    for row in rows:
        table.add_row(*map(Text, row))  # Text: brackets and colons in names are no markup
    longest = max(sum(len(cell) + 4 for cell in row) for row in (columns, *rows))
    stream = StringIO()
    # Wide characters take two columns, hence twice the length.
    console = Console(file=stream, width=2 * longest + 8 * len(columns), color_system=None)
    console.print(table)
    lines = [title, *(line.rstrip() for line in stream.getvalue().rstrip().splitlines())]
    return "\n".join(lines) + "\n"


def number(value: float, digits: int = 2) -> str:
    """A score to so many digits; very large ones in powers of ten."""
    return f"{value:.{digits}f}" if abs(value) < 1e6 else f"{value:.{digits}e}"


def score(metric: str, value: float) -> str:
    """A score to the digits that its metric is shown with; a report may hold one that is none."""
    return number(value, METRICS[metric].digits if metric in METRICS else 2)
