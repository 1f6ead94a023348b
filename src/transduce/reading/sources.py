"""Reading what is to be predicted: sources without targets, one record after another.

What a record is:

- In a file named ``.jsonl``, or where the recipe says ``format: jsonl``: an
  object with the recipe's source keys (``source`` by default), no target needed.
- In a ``.parquet`` file or a ``datasets`` folder: a row, likewise.
- In a file named ``.tsv``, ``.csv`` or ``.xlsx`` (or another file where the recipe says
  so), and for a recipe with several source columns: a row. One with exactly as
  many columns as the source has gives them in the recipe's order; any other is
  laid out as in training. With ``header: true`` such a *file* starts with a header.
- Otherwise a whole line, tabs and all. So is standard input for a recipe with one
  source column.

An empty line is an empty source. Nothing that was asked for may be left out of the answers, so
``on_error`` does not count here: in the place of a record that cannot be used stands an error,
which ``predict`` answers with an empty line, and which :func:`read_sources` raises. What is wrong
with a whole file, or with the rest of it, is raised by both.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal

from transduce.errors import ConfigError, DataError
from transduce.reading.columns import Layout, Row, SourceColumn, columns_message, layout_of
from transduce.reading.formats import FileFormat, format_of, keyed_rows, numbered_rows
from transduce.reading.problems import BadFileError, BadRecordError
from transduce.reading.records import Rows, csv_rows, jsonl_rows, tsv_rows
from transduce.reading.streams import Block, open_stream, read_blocks

if TYPE_CHECKING:  # whose library takes its time to load
    from transduce.config import DataConfig

__all__ = [
    "keyed_or_errors",
    "lines_or_errors",
    "read_sources",
    "reads_lines",
    "sources_or_errors",
    "standard_input",
]

_NAMED: tuple[FileFormat, ...] = ("tsv", "csv", "jsonl", "xlsx")  # that a recipe can ask for


def read_sources(path: str | Path | BinaryIO, config: DataConfig) -> Iterator[str]:
    """Stream the sources of a file, of standard input (``"-"``) or of an open binary stream.

    A stream is answered as its lines come. Raises DataError naming file and line.
    """
    for source in sources_or_errors(path, config):
        if isinstance(source, DataError):
            raise source
        yield source


def sources_or_errors(path: str | Path | BinaryIO, config: DataConfig) -> Iterator[str | DataError]:
    """The same with an error in the place of each source that cannot be used.

    Raises DataError where the file, or the rest of it, cannot be read.
    """
    is_file = isinstance(path, str | Path) and str(path) != "-"
    name = str(path) if is_file else "standard input"
    layout = layout_of(config)
    try:
        if isinstance(path, str | Path) and is_file:
            rows = _from_file(Path(path), config, layout)
        else:
            stream = sys.stdin.buffer if isinstance(path, str | Path) else path
            kind: _Kind = "jsonl" if config.format == "jsonl" else _plain_kind(layout)
            rows = _from_blocks(read_blocks(stream, name), kind, layout, config, False, name)
        yield from _told(rows, name)
    except BadFileError as error:
        raise DataError(str(error), file=error.file, line=error.line) from None


def reads_lines(config: DataConfig) -> bool:
    """Whether every line of what :func:`format_of` knows no format of is a source."""
    return config.format not in _NAMED and layout_of(config).is_plain


def lines_or_errors(path: str | BinaryIO) -> Iterator[str | DataError]:
    """Likewise of a recipe that :func:`reads_lines`: the lines of such a file, or of a stream."""
    name = path if isinstance(path, str) else "standard input"
    try:
        with open_stream(Path(path)) if isinstance(path, str) else nullcontext(path) as stream:
            for block in read_blocks(stream, name):
                yield from _told(block.rows(), name)
    except BadFileError as error:
        raise DataError(str(error), file=error.file, line=error.line) from None


def keyed_or_errors(path: str, kind: str, key: str) -> Iterator[str | DataError]:
    """Likewise of a file of a kind whose records have the source under a key."""
    try:
        with keyed_rows(Path(path), kind, [(key, False)]) as rows:
            yield from _told(_picked(rows, itemgetter(0)), path)
    except BadFileError as error:
        raise DataError(str(error), file=error.file, line=error.line) from None


def standard_input() -> BinaryIO:
    """Without its buffer, whose lock a thread that waits for a line would keep at the end."""
    buffer: BinaryIO = sys.stdin.buffer
    return getattr(buffer, "raw", buffer)


def _told(rows: _Sources, name: str) -> Iterator[str | DataError]:
    for number, row in rows:
        yield row if isinstance(row, str) else DataError(str(row), file=name, line=number)


_Sources = Iterator[tuple[int, str | BadRecordError]]
_Kind = FileFormat | Literal["lines"]


def _plain_kind(layout: Layout) -> Literal["lines", "tsv"]:
    return "lines" if layout.is_plain else "tsv"


def _from_file(path: Path, config: DataConfig, layout: Layout) -> _Sources:
    kind: _Kind | None = format_of(path)
    if kind is None and config.format in _NAMED:
        kind = config.format
    header = config.header and kind in ("tsv", "csv", "xlsx")
    kind = kind or _plain_kind(layout)
    if kind in ("parquet", "datasets"):
        keyed = layout.keyed(kind)
        with keyed_rows(path, kind, keyed.source_keys()) as rows:
            yield from _picked(rows, keyed.in_order().picker()[0])
        return
    if kind == "xlsx":
        with numbered_rows(path, kind, blank=True) as numbered:
            yield from _from_rows(numbered, layout, header, str(path))
        return
    with open_stream(path) as stream:
        blocks = read_blocks(stream, str(path))
        yield from _from_blocks(blocks, kind, layout, config, header, str(path))


def _from_blocks(
    blocks: Iterable[Block],
    kind: _Kind,
    layout: Layout,
    config: DataConfig,
    header: bool,
    name: str,
) -> _Sources:
    if kind == "lines":
        for block in blocks:
            yield from block.rows()
    elif kind == "jsonl":
        keyed = layout.keyed("jsonl")
        records = jsonl_rows(blocks, keyed.source_keys(), blank=True)
        yield from _picked(records, keyed.in_order().picker()[0])
    else:
        rows = csv_rows(blocks, config.delimiter) if kind == "csv" else tsv_rows(blocks)
        yield from _from_rows(rows, layout, header, name)


def _from_rows(rows: Rows, layout: Layout, header: bool, name: str) -> _Sources:
    number, first = next(rows, (1, [])) if header else (1, [])
    if isinstance(first, BadRecordError):
        raise BadFileError(first.reason, str(first), name, number)
    try:
        pick = _row_picker(layout, first if header else None)
    except BadRecordError as error:
        raise BadFileError(error.reason, str(error), name, 1) from None
    yield from _picked(rows, pick)


def _picked(
    rows: Iterable[tuple[int, Row | BadRecordError]], pick: Callable[[Row], str]
) -> _Sources:
    for number, row in rows:
        picked: str | BadRecordError
        try:
            picked = row if isinstance(row, BadRecordError) else pick(row)
        except BadRecordError as error:
            picked = error
        yield number, picked


def _row_picker(layout: Layout, header: list[str] | None) -> Callable[[Row], str]:
    """Pick by the source's own columns or by the training layout, whichever a row fits."""
    count = len(layout.sources)
    in_order = layout.in_order().picker()[0]
    trained, needed = _training_picker(layout, header)
    by_name = any(isinstance(column.key, str) for column in layout.sources)

    def pick(row: Row) -> str:
        if not any(row):
            return ""
        if len(row) == count and not (by_name and header):
            return in_order(row)
        if trained is not None and len(row) >= needed:
            return trained(row)
        keys = ", ".join(str(column.key) for column in layout.sources)
        expected = f"the {count} source columns ({keys}) or all columns as in training"
        fields = [str(field) for field in row]
        raise BadRecordError("wrong number of columns", columns_message(fields, expected))

    return pick


def _training_picker(
    layout: Layout, header: list[str] | None
) -> tuple[Callable[[Row], str] | None, int]:
    # The target need not be there: the source's columns alone say what is needed.
    columns: tuple[SourceColumn, ...] = layout.sources
    try:
        numbered = Layout(columns, 0).numbered(header)
    except ConfigError:
        if header is not None:
            raise
        return None, 0  # names without a header: only the source's own columns will do
    pick, _, needed = numbered.picker()
    return pick, needed
