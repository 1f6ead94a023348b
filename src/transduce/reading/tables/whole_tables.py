"""Tables of which one column is the source, each row kept whole: to be written again with outputs.

CSV, TSV and workbooks have rows of texts, which a header may name; JSON lines and Parquet have
records of values by name. One row is held at a time, with the records that come before the first
that can be read (at most 1,000).
"""

from __future__ import annotations

import contextlib
import csv
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Literal

from transduce.config import DataConfig
from transduce.errors import ConfigError, DataError
from transduce.reading.columns import columns_message
from transduce.reading.formats import format_of
from transduce.reading.frames import frame_reader
from transduce.reading.problems import BadFileError, BadRecordError
from transduce.reading.records import csv_reader, csv_rows, json_record, text_of, tsv_rows
from transduce.reading.streams import Block, open_stream, read_blocks
from transduce.reading.tables.whole_rows import RecordRow, TableRow, TextRow

__all__ = ["Table", "TableKind", "opened_table"]

TableKind = Literal["csv", "tsv", "jsonl", "xlsx", "parquet"]
_Found = Iterator[tuple[int, str | BadRecordError, TableRow]]

_KINDS: tuple[TableKind, ...] = ("csv", "tsv", "jsonl", "xlsx", "parquet")
_DELIMITERS = (",", ";", "\t", "|")  # of CSV, where the name of the column tells
_MOST_BAD = 1000  # records before the first that tells the names
_STREAM = "standard input"


@dataclass(frozen=True)
class Table:
    """``names`` are those of the columns (of records: of the first's), or None without a header.

    ``added`` are free names for the outputs. Each row has a source, or what is wrong with it.
    """

    kind: TableKind
    delimiter: str | None
    names: tuple[str, ...] | None
    added: tuple[str, ...]
    rows: Iterator[tuple[str | DataError, TableRow]]


@contextlib.contextmanager
def opened_table(
    path: str, column: str, data: DataConfig, outputs: int, *, flat: bool = False
) -> Iterator[Table]:
    """The table of a file, or of standard input (``-``), with names for so many outputs a row.

    ``column`` is a name or, where the table has no such name, a number from 0. ``flat``: rows will
    stand under ``names``; a record with other keys is wrong. Raises DataError and ConfigError.
    """
    name = _STREAM if path == "-" else path
    kind = _kind_of(path, data)
    with contextlib.ExitStack() as files:
        try:
            if kind == "parquet":
                table = _parquet(Path(path), column, outputs)
            elif kind == "xlsx":
                from transduce.reading.tables.workbooks import workbook_rows  # loads openpyxl

                rows = workbook_rows(Path(path), blank=True)
                table = _numbered(rows, kind, None, column, data, outputs, name)
            else:
                stream = sys.stdin.buffer if path == "-" else open_stream(Path(path))
                if path != "-":
                    stream = files.enter_context(stream)
                blocks = read_blocks(stream, name)  # type: ignore[arg-type]
                table = _of_lines(blocks, kind, column, data, outputs, name, flat)
        except BadFileError as error:
            raise DataError(str(error), file=error.file, line=error.line) from None
        reader = frame_reader(data)
        if reader is not None:
            folder = Path() if path == "-" else Path(path).parent
            located = (
                (s if isinstance(s, DataError) else reader.located(s, folder), row)
                for s, row in table.rows
            )
            table = Table(table.kind, table.delimiter, table.names, table.added, located)
        yield table


def _kind_of(path: str, data: DataConfig) -> TableKind | None:
    """None where neither the name nor the recipe tells."""
    found = None if path == "-" else format_of(Path(path))
    if found == "datasets":
        raise ConfigError(f"--column must be one of a file with a table; got the folder {path}")
    for kind in _KINDS:
        if kind == found or (found is None and kind == data.format):
            if path == "-" and kind in ("xlsx", "parquet"):
                raise ConfigError(f"{kind} must be a file; got standard input")
            return kind
    return "tsv" if path == "-" else None


def _of_lines(
    blocks: Iterator[Block],
    kind: TableKind | None,
    column: str,
    data: DataConfig,
    outputs: int,
    name: str,
    flat: bool,
) -> Table:
    first = next(blocks, None)
    lines = first.lines if first else []
    blocks = blocks if first is None else chain([first], blocks)
    if kind is None:
        if lines and "\t" not in lines[0]:
            raise ConfigError(
                "--column must be one of a table (csv, tsv, jsonl, parquet, xlsx, or tabs in the "
                f"first line; data.format says which); got {name} without columns"
            )
        kind = "tsv"
    if kind == "jsonl":
        return _records(_json_rows(blocks, column), kind, None, column, outputs, name, flat=flat)
    if kind == "csv":
        delimiter = data.delimiter or _delimiter_of(lines, column)
        rows = csv_rows(blocks, delimiter)
        return _numbered(rows, kind, delimiter, column, data, outputs, name)
    return _numbered(tsv_rows(blocks), kind, None, column, data, outputs, name)


def _delimiter_of(lines: Sequence[str], column: str) -> str:
    """By which the first line has the column or, if by none, the most of them."""
    found = {mark: _fields(lines, mark) for mark in _DELIMITERS}
    named = [mark for mark, fields in found.items() if column in fields]
    return named[0] if named else max(found, key=lambda mark: len(found[mark]))


def _fields(lines: Sequence[str], delimiter: str) -> list[str]:
    try:
        return next(csv_reader((f"{line}\n" for line in lines), delimiter), [])
    except csv.Error:
        return []


# ---------------------------------------------------------------- rows of texts


def _numbered(
    rows: Iterator[tuple[int, list[str] | BadRecordError]],
    kind: TableKind,
    delimiter: str | None,
    column: str,
    data: DataConfig,
    outputs: int,
    name: str,
) -> Table:
    by_number = column.isdecimal() and len(column) < 6
    header: tuple[str, ...] | None = None
    width: int | None = None
    if data.header or not by_number:
        number, found = next(rows, (1, None))
        if found is None:
            message = f"table must have a header that names {column!r}; got an empty one"
            raise BadFileError("empty file", message, name)
        if isinstance(found, BadRecordError):
            raise BadFileError(found.reason, str(found), name, number)
        header, width = tuple(found), len(found)
        place = _place(header, column, by_number, name)
    else:
        number, first = next(rows, (1, None))
        if first is not None:
            rows = chain([(number, first)], rows)
            width = None if isinstance(first, BadRecordError) else len(first)
        place = int(column)
        if width is not None and place >= width:
            message = f"table must have the column {column}, from 0; got {width} columns"
            raise BadFileError("missing column", message, name, number)
    added = _free_names(header or (), outputs)
    found_rows = _text_rows(rows, place, header, width, added)
    return Table(kind, delimiter, header, added, _told(found_rows, name))


def _place(header: Sequence[str], column: str, by_number: bool, name: str) -> int:
    if column in header:
        if header.count(column) > 1:
            message = f"table must have the column {column!r} once; got {', '.join(header)}"
            raise BadFileError("repeated column", message, name, 1)
        return header.index(column)
    if by_number and int(column) < len(header):
        return int(column)
    raise _no_column(column, header, name)


def _no_column(column: str, names: Sequence[str], name: str) -> BadFileError:
    message = f"table must have the column {column!r}; got {', '.join(names) or 'none'}"
    return BadFileError("missing column", message, name)


def _text_rows(
    rows: Iterator[tuple[int, list[str] | BadRecordError]],
    place: int,
    names: tuple[str, ...] | None,
    width: int | None,
    added: tuple[str, ...],
) -> _Found:
    """Short rows are filled up with empty cells; in longer ones no column is free for outputs."""
    for number, found in rows:
        if isinstance(found, BadRecordError):
            yield number, found, TextRow([], names, width or 1)
            continue
        width = len(found) if width is None else width
        source: str | BadRecordError = found[place] if place < len(found) else ""
        if len(found) > width or (place >= len(found) and any(found)):
            message = columns_message(found, f"{width} columns like the first")
            source = BadRecordError("wrong number of columns", message)
        yield number, source, TextRow(found, names, width)


# ---------------------------------------------------------------- records by name


def _json_rows(blocks: Iterator[Block], column: str) -> _Found:
    for block in blocks:
        for number, line in block.rows():
            if isinstance(line, BadRecordError):
                yield number, line, RecordRow({})
                continue
            if not line or line.isspace():
                yield number, "", RecordRow({})
                continue
            try:
                record = json_record(line)
            except BadRecordError as error:
                yield number, error, RecordRow({})
                continue
            yield number, _text_in(record, line, column), RecordRow(record, line)


def _text_in(record: Mapping[str, Any], line: str, column: str) -> str | BadRecordError:
    try:
        return text_of(record, line, column)
    except BadRecordError as error:
        return error


def _parquet(path: Path, column: str, outputs: int) -> Table:
    from transduce.reading.tables.table_files import parquet_records  # loads pyarrow

    names, records = parquet_records(path, column)
    rows = ((number, source, RecordRow(record)) for number, source, record in records)
    return _records(rows, "parquet", tuple(names), column, outputs, str(path))


def _records(
    rows: _Found,
    kind: TableKind,
    names: tuple[str, ...] | None,
    column: str,
    outputs: int,
    name: str,
    *,
    flat: bool = False,
) -> Table:
    before: list[tuple[int, str | BadRecordError, TableRow]] = []
    while names is None and len(before) < _MOST_BAD and (row := next(rows, None)) is not None:
        before.append(row)
        if row[2].record:
            names = tuple(row[2].record)
            if isinstance(row[1], BadRecordError) and row[1].reason == "missing key":
                raise _no_column(column, names, name)
    added = _free_names(names or (), outputs)
    checked = _checked_keys(chain(before, rows), added, names if flat else None)
    return Table(kind, None, names or (), added, _told(checked, name))


def _checked_keys(rows: _Found, added: Sequence[str], columns: Sequence[str] | None) -> _Found:
    """A key that the first record has not may be that of outputs, or have no column."""
    for number, source, row in rows:
        taken = [key for key in added if key in row.record]
        lost = [key for key in row.record if columns is not None and key not in columns]
        if not isinstance(source, BadRecordError):
            if taken:
                message = f"record must not have the key {taken[0]!r}, that of outputs; got it"
                source = BadRecordError("repeated key", message)
            elif lost:
                message = (
                    "record must have the keys of the first, one for each column; got "
                    f"{lost[0]!r}, which is left out (--format jsonl keeps it)"
                )
                source = BadRecordError("keys", message)
        yield number, source, row


# ---------------------------------------------------------------- both


def _free_names(names: Sequence[str], outputs: int) -> tuple[str, ...]:
    """``output``, ``output_2``, …; of another beginning where the table has one of these."""
    beginnings = chain(("output", "prediction"), (f"prediction_of_{n}" for n in range(1, 10_002)))
    for beginning in beginnings:
        found = (beginning, *(f"{beginning}_{number}" for number in range(2, outputs + 1)))
        if not set(found) & set(names):
            return found
    raise DataError("table must leave a name for the outputs; got none that is free")


def _told(rows: _Found, name: str) -> Iterator[tuple[str | DataError, TableRow]]:
    """With errors that name file and line."""
    try:
        for number, source, row in rows:
            if isinstance(source, BadRecordError):
                yield DataError(str(source), file=name, line=number), row
            else:
                yield source, row
    except BadFileError as error:
        raise DataError(str(error), file=error.file, line=error.line) from None
