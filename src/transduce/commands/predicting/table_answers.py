"""A column of a table in, the same table out, with the outputs as further last columns."""

from __future__ import annotations

import contextlib
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from transduce.commands.predicting.answer_forms import Answer, Form, csv_line
from transduce.config import DataConfig
from transduce.errors import ConfigError, DataError
from transduce.reading.columns import layout_of
from transduce.reading.tables.whole_rows import TableRow
from transduce.reading.tables.whole_tables import Table, opened_table

__all__ = ["AskedTable", "asked_table", "require_table_form", "table_form"]

_FORMS = ("csv", "tsv", "jsonl")
_CLOSED = (".gz", ".zst", ".xlsx", ".xlsm", ".parquet")  # what no table is written as
_AS_SPACES = str.maketrans({"\t": " ", "\n": " ", "\r": " "})


@dataclass
class AskedTable:
    """``sources`` are those of the table; the row of each waits in ``rows`` for its answer."""

    form: Form
    sources: Iterator[str | DataError]
    rows: deque[TableRow] = field(default_factory=deque)


def require_table_form(form: str | None, output: Path | None, sources: Sequence[str]) -> None:
    """Raise ConfigError where no table can be read from, or written as, what was asked for."""
    if len(sources) > 1:
        raise ConfigError(f"INPUT must be one file with --column; got {len(sources)}")
    if form is not None and form not in _FORMS:
        raise ConfigError(f"--format must be {_listed()} with --column; got {form}")
    if form is None and output is not None and output.suffix.lower() in _CLOSED:
        raise ConfigError(
            f"--output must be named {_listed('.')} with --column (or --format be given); "
            f"got {output}"
        )


def _listed(mark: str = "") -> str:
    *first, last = (f"{mark}{name}" for name in _FORMS)
    return f"{', '.join(first)} or {last}"


@contextlib.contextmanager
def asked_table(
    path: str, column: str, data: DataConfig, form: str | None, output: Path | None, nbest: int
) -> Iterator[AskedTable]:
    """The table, opened; says where its outputs have another name than ``output``."""
    columns = layout_of(data)
    if not columns.is_plain:
        names = ", ".join(str(one.key) for one in columns.sources)
        raise ConfigError(
            f"--column must be used with a model whose source is one column; got one of {names}: "
            "without --column these are read from the table (--format csv writes the source, too)"
        )
    if path == "-" and form is not None and data.format == "auto":
        data = data.model_copy(update={"format": form})
    form = form or _form_of(output)
    with opened_table(path, column, data, nbest, flat=form in ("csv", "tsv")) as table:
        if table.added[0] != "output":
            print(
                "transduce: the table has a column of outputs already; "
                f"the new one is {table.added[0]!r}",
                file=sys.stderr,
            )
        asked = AskedTable(table_form(table, form), iter(()))
        asked.sources = _noting(table, asked)
        yield asked


def _noting(table: Table, asked: AskedTable) -> Iterator[str | DataError]:
    for source, row in table.rows:
        asked.rows.append(row)
        yield source


def _form_of(output: Path | None) -> str | None:
    """What the name of a file says."""
    suffix = "" if output is None else output.suffix.lower()[1:]
    return suffix if suffix in _FORMS else None


def table_form(table: Table, form: str | None) -> Form:
    """How a table is written again: in a form, or in that of its own kind."""
    if form is None:
        form = {"xlsx": "csv", "parquet": "jsonl"}.get(table.kind, table.kind)
    if form == "jsonl":
        return Form(".jsonl", lambda answer: _json(answer, table.added))
    delimiter = "\t" if form == "tsv" else table.delimiter or ","
    head = "" if table.names is None else _line((*table.names, *table.added), delimiter)
    return Form(
        f".{form}",
        lambda answer: _line(_cells(answer, table), delimiter),
        lambda nbest, extras=(): head,
    )


def _row(answer: Answer) -> TableRow:
    if answer.row is None:
        raise TypeError("an answer of a table must have its row")
    return answer.row


def _json(answer: Answer, added: Sequence[str]) -> str:
    """``error`` only where there is one and the row has no such key."""
    row = _row(answer)
    values: dict[str, object] = dict(zip(added, answer.texts(), strict=True))
    if (error := answer.outputs[0].error) and "error" not in row.record:
        values["error"] = error
    values = {key: value for key, value in values.items() if key not in row.record}
    return row.json(values) + "\n"


def _cells(answer: Answer, table: Table) -> list[str]:
    """The row with its outputs; one that has more cells than the table has columns as it was."""
    row = _row(answer)
    cells = row.cells(table.names)
    return cells if row.too_long else [*cells, *answer.texts()]


def _line(cells: Sequence[str], delimiter: str) -> str:
    """Of TSV, which has no quotes: tabs and ends of lines inside a cell become spaces."""
    if delimiter == "\t":
        return "\t".join(cell.translate(_AS_SPACES) for cell in cells) + "\n"
    return csv_line(cells, delimiter)
