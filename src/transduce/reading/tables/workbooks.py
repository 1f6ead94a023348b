"""Excel's workbooks (``.xlsx``, ``.xlsm``): the rows of the first sheet that is shown."""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time
from pathlib import Path
from typing import Any, BinaryIO

from transduce.errors import DataError
from transduce.reading.problems import BadFileError, BadRecordError
from transduce.reading.records import MOST_COLUMNS, Rows, too_many_columns
from transduce.reading.streams import LONGEST_LINE, open_file, refuse_bomb
from transduce.reading.tables.workbook_members import WatchedArchive

__all__ = ["sheet_name", "workbook_rows"]

_OLD = b"\xd0\xcf\x11\xe0"  # what .xls begins with, and a workbook with a password


def workbook_rows(path: Path, *, blank: bool = False) -> Rows:
    """Rows of texts, ``(number in the sheet, cells)``, as wide as the first that is not empty.

    Formulas are what they came to when the workbook was saved; numbers have up to 15 digits, dates
    are written as ``2024-03-01``. Empty rows are passed over or, with ``blank``, rows of one empty
    text where others follow. Raises BadFileError, and DataError where the library is not there.
    """
    with open_file(path) as file:
        sheet = _first_sheet(file, path)
        sheet.reset_dimensions()  # what a file says of its size is not believed
        yield from _rows(sheet.iter_rows(values_only=True), path, blank)


def sheet_name(path: Path) -> tuple[str, int]:
    """The name of the sheet that is read, and of how many it is the first."""
    with open_file(path) as file:
        sheet = _first_sheet(file, path)
        return str(sheet.title), len(sheet.parent.worksheets)


def _first_sheet(file: BinaryIO, path: Path) -> Any:
    excel = _library()
    if file.read(len(_OLD)) == _OLD:
        message = "workbook must be .xlsx without a password; got an older or a locked one"
        raise BadFileError("unknown format", message, path)

    class RowsOnly(excel.ExcelReader):  # type: ignore[misc, name-defined]
        """The library's own, which else would draw charts with all their pictures."""

        def read_chartsheet(self, sheet: Any, rel: Any) -> None:
            pass

    with _library_errors(path):
        archive = WatchedArchive(file, path)
        # The library opens an archive itself; what it reads of ours is watched.
        reader = RowsOnly(file, read_only=True, data_only=True, keep_links=False)
        reader.archive = archive
        reader.read()
        sheets = reader.wb.worksheets
        shown = (sheet for sheet in sheets if sheet.sheet_state == "visible")
        found = next(shown, sheets[0] if sheets else None)
    if found is None:
        raise BadFileError("empty file", "workbook must have a sheet; got none", path)
    return found


def _library() -> Any:
    try:
        from openpyxl.reader import excel
    except ModuleNotFoundError as error:
        raise DataError(
            f"workbooks must be read with {error.name}, which is not installed: "
            "pip install 'transduce[xlsx]'"
        ) from None
    return excel


@contextlib.contextmanager
def _library_errors(path: Path) -> Iterator[None]:
    """Whatever the library stumbles over is the file's fault."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of styles and other things that are not read
            yield
    except BadFileError:
        raise
    except Exception as error:
        detail = str(error).partition("\n")[0] or type(error).__name__
        message = f"file must be an .xlsx workbook; got: {detail}"
        raise BadFileError("corrupt file", message, path) from None


def _rows(rows: Iterator[Sequence[object]], path: Path, blank: bool) -> Rows:
    size, given = os.path.getsize(path), 0
    width, number = 0, 0
    empty: list[int] = []
    while True:
        with _library_errors(path):
            row = next(rows, None)
            texts = [] if row is None else _texts(row)
        if row is None:
            return
        number += 1
        if not texts:
            empty.append(number)
            continue
        if blank and width:
            for before in empty:
                yield before, [""]
        empty.clear()
        length = sum(map(len, texts))
        given += length
        refuse_bomb(given, size, path)
        width = width or len(texts)
        texts += [""] * (width - len(texts))
        if len(texts) > MOST_COLUMNS:
            yield number, too_many_columns()
        elif length > LONGEST_LINE:
            message = f"record must have at most {LONGEST_LINE:,} characters; got more"
            yield number, BadRecordError("record too long", message)
        else:
            yield number, texts


def _texts(row: Sequence[object]) -> list[str]:
    """Up to the last cell that is not empty."""
    texts = list(map(_text, row))
    while texts and not texts[-1]:
        texts.pop()
    return texts


def _text(value: object) -> str:
    match value:
        case None:
            return ""
        case str():
            return value
        case bool():
            return str(value).upper()
        case float():
            return f"{value:.15g}"
        case datetime() if value.time() == time():
            return value.date().isoformat()
        case datetime():
            return value.isoformat(" ")
        case date() | time():
            return value.isoformat()
        case _:
            return str(value)
