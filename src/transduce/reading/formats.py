"""The format of a file, and its rows: by the numbers of columns, or by their names."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, Literal

from transduce.reading.problems import BadFileError, BadRecordError
from transduce.reading.records import Key, Rows, csv_rows, jsonl_rows, tsv_rows
from transduce.reading.streams import Block, bare_suffix, open_stream, read_blocks

__all__ = ["FileFormat", "format_of", "keyed_rows", "numbered_rows"]

FileFormat = Literal["tsv", "csv", "jsonl", "xlsx", "parquet", "datasets"]
_FORMATS: dict[str, FileFormat] = {
    ".tsv": "tsv",
    ".csv": "csv",
    ".jsonl": "jsonl",
    ".parquet": "parquet",
    ".xlsx": "xlsx",
    ".xlsm": "xlsx",
}


def format_of(path: Path) -> FileFormat | None:
    """What the suffix says (``.gz`` and ``.zst`` taken off); None where it says nothing."""
    return "datasets" if os.path.isdir(path) else _FORMATS.get(bare_suffix(path))


@contextlib.contextmanager
def keyed_rows(
    path: Path, kind: str, keys: Sequence[Key], *, blank: bool = False
) -> Iterator[Iterator[tuple[int, list[Any] | BadRecordError]]]:
    """Rows ``(line or row number, values of keys)`` of JSON lines, Parquet or a datasets folder.

    A BadRecordError stands in the place of a row that cannot be used. ``blank`` lines of JSON are
    rows of empty texts.
    """
    if kind == "jsonl":
        with open_stream(path) as stream:
            yield jsonl_rows(read_blocks(stream, str(path)), keys, blank=blank)
        return
    from transduce.reading.tables import (
        table_files,  # pyarrow takes time to start; most data is text
    )

    read = table_files.parquet_rows if kind == "parquet" else table_files.datasets_rows
    yield read(path, keys)


@contextlib.contextmanager
def numbered_rows(
    path: Path, kind: str | None, delimiter: str | None = None, *, blank: bool = False
) -> Iterator[Rows]:
    """Rows ``(line or row number, fields)`` of TSV, CSV or a workbook.

    ``kind`` is None where a file's name does not tell: it must be TSV. ``blank`` rows of a workbook
    are rows of empty texts.
    """
    if kind == "xlsx":
        from transduce.reading.tables.workbooks import workbook_rows  # which loads openpyxl

        yield workbook_rows(path, blank=blank)
        return
    with open_stream(path) as stream:
        blocks = read_blocks(stream, str(path))
        if kind is None:
            blocks = _with_tabs(blocks, str(path))
        yield csv_rows(blocks, delimiter) if kind == "csv" else tsv_rows(blocks)


def _with_tabs(blocks: Iterator[Block], name: str) -> Iterator[Block]:
    first = next(blocks, None)
    if first is None:
        return iter(())
    if "\t" not in first.lines[0]:
        message = (
            "line must have tabs between its columns (or say data.format, or give "
            "{source: FILE, target: FILE}); got none"
        )
        raise BadFileError("unknown format", message, name, 1)
    return chain([first], blocks)
