"""From blocks of lines to rows: TSV, CSV (RFC 4180) and JSON lines.

Each reader yields ``(line, row)``, a BadRecordError in the place of a row that cannot be used. A
row may have 10,000 columns, and all lines of a CSV record together as much text as one line.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, repeat
from typing import Any, Self

from transduce.reading.columns import columns_message
from transduce.reading.problems import BadRecordError
from transduce.reading.streams import LONGEST_LINE, Block

__all__ = [
    "MOST_COLUMNS",
    "Key",
    "Rows",
    "check_text",
    "csv_reader",
    "csv_rows",
    "json_record",
    "jsonl_rows",
    "same_width",
    "text_of",
    "too_many_columns",
    "tsv_rows",
]

Rows = Iterator[tuple[int, list[str] | BadRecordError]]

MOST_COLUMNS = 10_000

# The name of a key and whether it may hold a list of texts (tags).
Key = tuple[str, bool]


def tsv_rows(blocks: Iterable[Block]) -> Rows:
    """Split at tabs; quotes mean nothing."""
    for block in blocks:
        for number, line in block.rows():
            if isinstance(line, BadRecordError):
                yield number, line
            elif len(line) > MOST_COLUMNS and line.count("\t") >= MOST_COLUMNS:
                yield number, too_many_columns()
            elif "\r" in line and all("\t" in piece for piece in line.split("\r")):
                message = "line must end with \\n or \\r\\n; got rows with \\r between them"
                yield number, BadRecordError("line end", message)
            else:
                yield number, line.split("\t")


def csv_rows(blocks: Iterable[Block], delimiter: str | None = None) -> Rows:
    """Parse strictly by RFC 4180; the number is that of a record's first line.

    ``delimiter`` stands between fields; none: a comma.
    """
    lines = _RecordLines(blocks)
    reader = csv_reader(lines, delimiter)
    while True:
        start = lines.begin()
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            lost = max(1, lines.read - start + 1)
            yield start, BadRecordError("bad CSV", f"record must be CSV; got: {error}", count=lost)
        except BadRecordError as error:
            error.count = lines.read - start + 1
            yield start, error
        else:
            if lines.bad is not None:
                yield lines.bad
            else:
                yield start, row if len(row) <= MOST_COLUMNS else too_many_columns()


def csv_reader(lines: Iterable[str], delimiter: str | None = None) -> Iterator[list[str]]:
    """Python's own, strict. A field may be as long as a line: its limit is raised to that."""
    csv.field_size_limit(max(csv.field_size_limit(), LONGEST_LINE))
    return csv.reader(lines, strict=True, delimiter=delimiter or ",")


class _RecordLines:
    """The lines of blocks as the CSV reader takes them, watched record by record.

    ``bad`` is the first line of the record that cannot be used. No generator: what is raised on
    the way must not end it.
    """

    def __init__(self, blocks: Iterable[Block]) -> None:
        self._lines = chain.from_iterable(map(_with_problems, blocks))
        self._length = 0
        self.read = 0
        self.bad: tuple[int, BadRecordError] | None = None

    def begin(self) -> int:
        """The number of a new record's first line."""
        self._length, self.bad = 0, None
        return self.read + 1

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        line, problem = next(self._lines)
        self.read += 1
        if problem is not None and self.bad is None:
            self.bad = self.read, problem
        self._length += len(line) + 1
        if self._length > LONGEST_LINE + 1:
            message = f"record must have at most {LONGEST_LINE:,} characters; got more"
            raise BadRecordError("record too long", message)
        return f"{line}\n"


def _with_problems(block: Block) -> Iterable[tuple[str, BadRecordError | None]]:
    """Lines as they stand, since a quoted field may begin in one that cannot be used."""
    if not block.bad:
        return zip(block.lines, repeat(None))
    return ((line, block.bad.get(n)) for n, line in enumerate(block.lines, block.first))


def too_many_columns() -> BadRecordError:
    """What is wrong with a row that has more than 10,000."""
    message = f"line must have at most {MOST_COLUMNS:,} columns; got more"
    return BadRecordError("wrong number of columns", message)


def same_width(rows: Rows, needed: int, width: int | None) -> Rows:
    """Pass rows that have as many columns as the first (``width`` where a header said it)."""
    for number, row in rows:
        if not isinstance(row, BadRecordError) and len(row) != width:
            if width is None and len(row) >= needed:
                width = len(row)
            else:
                expected = f"at least {needed} columns"
                if width is not None:
                    expected = f"{width} columns like the first"
                message = columns_message(row, expected)
                row = BadRecordError("wrong number of columns", message)
        yield number, row


def jsonl_rows(
    blocks: Iterable[Block], keys: Sequence[Key], *, blank: bool = False
) -> Iterator[tuple[int, list[Any] | BadRecordError]]:
    """One JSON object a line; a row holds the values of ``keys`` in order.

    A key ``translation.en`` that is not there is looked up as ``en`` in ``translation``. A blank
    line is passed over or, with ``blank``, a row of empty texts.
    """
    for block in blocks:
        for number, line in block.rows():
            if isinstance(line, BadRecordError):
                yield number, line
            elif line and not line.isspace():
                try:
                    yield number, _values(line, keys)
                except BadRecordError as error:
                    yield number, error
            elif blank:
                yield number, [""] * len(keys)


def _values(line: str, keys: Sequence[Key]) -> list[Any]:
    record = json_record(line)
    row = []
    for key, is_tags in keys:
        value = record[key] if key in record else _nested(record, key)
        if type(value) is not str:
            check_text(value, key, is_tags)
        row.append(value)
    if "\\ud" in line or "\\uD" in line:
        _check_unicode(row)
    return row


def text_of(record: Mapping[str, Any], line: str, key: str) -> str:
    """The text under a key of the record that stands in a line. Raises BadRecordError."""
    text: str = record[key] if key in record else _nested(record, key)
    check_text(text, key, False)
    if "\\ud" in line or "\\uD" in line:
        _check_unicode([text])
    return text


def json_record(line: str) -> dict[str, Any]:
    """The object that a line is. Raises BadRecordError."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        detail = (
            f"{error.msg} at character {error.colno}"
            if isinstance(error, json.JSONDecodeError)
            else "a number or nesting too large"
        )
        raise BadRecordError("bad JSON", f"line must be a JSON object; got: {detail}") from None
    if not isinstance(record, dict):
        message = f"line must be a JSON object; got {_kind(record)}"
        raise BadRecordError("bad JSON", message)
    return record


def check_text(value: Any, key: str, is_tags: bool) -> None:
    """Raise BadRecordError where a value is neither text nor, for tags, a list of texts."""
    if isinstance(value, str):
        return
    if is_tags and isinstance(value, list) and all(isinstance(tag, str) for tag in value):
        return
    expected = "text or a list of texts" if is_tags else "text"
    raise BadRecordError("not text", f"{key!r} must be {expected}; got {_kind(value)}")


def _nested(record: Mapping[str, Any], key: str) -> Any:
    value: Any = record
    for name in key.split("."):
        if not isinstance(value, dict) or name not in value:
            keys = ", ".join(map(str, record)) or "none"
            raise BadRecordError("missing key", f"record must have the key {key!r}; got {keys}")
        value = value[name]
    return value


def _check_unicode(row: Sequence[Any]) -> None:
    try:
        "".join(text for value in row for text in value).encode()
    except UnicodeEncodeError:
        message = "text must be valid Unicode; got half of a surrogate pair"
        raise BadRecordError("bad JSON", message) from None


def _kind(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool() | int() | float():
            return json.dumps(value)
        case dict():
            return "an object"
        case list():
            return "a list"
        case _:
            return type(value).__name__
