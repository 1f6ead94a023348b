"""The table "Measured" of ``recipes/README.md``, with its footnotes."""

from __future__ import annotations

from benchmarks.zoo.results import Result, Results
from benchmarks.zoo.rows import Cell, Row, Zoo
from benchmarks.zoo.scores import over_seeds, summary

__all__ = ["card_list", "table"]

_HEAD = (
    "| recipe, data | extra keys | architecture | parameters | minutes | test | best "
    "| published on this split |\n|---|---|---|---:|---:|---|---|---|"
)
_PROCESSOR = (
    "Minutes of processor time on one core, for the whole command. The clock showed more, because "
    "other work used the machine."
)
_DIGITS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


class _Footnotes:
    """Texts by the numbers that they get where they are first asked for."""

    def __init__(self, named: dict[str, str]) -> None:
        self.named = named
        self.texts: list[str] = []

    def mark(self, text: str) -> str:
        """The mark of a text, with the space before it."""
        if text not in self.texts:
            self.texts.append(text)
        return f" {_raised(self.texts.index(text) + 1)}"

    def of(self, row: Row, cell: Cell) -> str:
        """The marks that the row has in a cell."""
        return "".join(self.mark(self.named[name]) for name in row.marks.get(cell, ()))

    def lines(self) -> str:
        """The footnotes themselves, a line each."""
        return "\n".join(
            f"{_raised(place)} {text}\\" for place, text in enumerate(self.texts, 1)
        ).rstrip("\\")


def table(zoo: Zoo, results: Results) -> str:
    """A line for each row that has results: of the plain recipe, where the row has one, with the
    row's own in the column "best".
    """
    notes = _Footnotes(zoo.footnotes)
    lines = [_line(row, results, notes) for row in zoo.rows if row.shown and row.name in results]
    return "\n".join([_HEAD, *lines, "", notes.lines()])


def card_list(zoo: Zoo, results: Results) -> str:
    """A line a card: its model, megabytes in int8, and score."""
    lines = ["| model | task | parameters | int8, MB | test |", "|---|---|---:|---:|---|"]
    for row in zoo.rows:
        if row.name in results:
            result = results[row.name]
            size = result.megabytes.get("int8")
            lines.append(
                f"| [{row.name}]({row.name}.md) | {row.task} | {result.parameters:,} "
                f"| {'' if size is None else f'{size:.2f}'} "
                f"| {summary(row.model_copy(update={'remark': ''}), result, lambda _: '')} |"
            )
    return "\n".join(lines)


def _line(row: Row, results: Results, notes: _Footnotes) -> str:
    best = results[row.name]
    plain = row.as_plain() if row.plain is not None else row
    first = results.get(plain.name, best)
    of, seeds = row if first is best else plain, over_seeds(row, results)
    named = f"{row.recipe}, {row.label}" if row.label else row.recipe
    cells = [
        f"{named} ([card](../docs/zoo/{row.name}.md))",
        _keys(first) + notes.of(row, "keys"),
        first.architecture,
        f"{first.parameters:,}",
        _minutes(first, notes) + notes.of(row, "minutes"),
        summary(of, first, notes.mark, seeds if first is best else "") + notes.of(row, "test"),
        "" if first is best else _best(row, best, first, notes, seeds) + notes.of(row, "best"),
        row.published + notes.of(row, "published"),
    ]
    return f"| {' | '.join(cells)} |".replace("|  |", "| |")


def _best(row: Row, best: Result, first: Result, notes: _Footnotes, seeds: str) -> str:
    """The better model's scores, what was set for it, what else is other than in the line."""
    other = [_keys(best), _minutes(best, notes, " minutes")]
    if best.architecture != first.architecture:
        other.append(best.architecture)
    if best.parameters != first.parameters:
        other.append(f"{best.parameters:,} parameters")
    return f"{summary(row, best, notes.mark, seeds)}: {', '.join(filter(None, other))}"


def _keys(result: Result) -> str:
    return f"`{' '.join(result.settings)}`" if result.settings else ""


def _minutes(result: Result, notes: _Footnotes, unit: str = "") -> str:
    """Of processor time, with a footnote, where that was measured; else by the clock."""
    if result.processor_minutes is not None:
        return f"{result.processor_minutes:.1f}{unit}{notes.mark(_PROCESSOR)}"
    return "" if result.minutes is None else f"{result.minutes:.1f}{unit}"


def _raised(value: int) -> str:
    return str(value).translate(_DIGITS)
