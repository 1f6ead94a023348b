"""From blocks of lines to rows: TSV, CSV (RFC 4180) and JSON lines.

Each reader yields ``(line, row)``. A bad row is noted in ``problems``, which
raises DataError or counts it, and left out.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from transduce.data.columns import columns_message
from transduce.data.problems import BadRecordError, Problems
from transduce.data.streams import Block

__all__ = ["Key", "check_text", "csv_rows", "jsonl_rows", "same_width", "tsv_rows"]

# The name of a key and whether it may hold a list of texts (tags).
Key = tuple[str, bool]


def tsv_rows(blocks: Iterable[Block]) -> Iterator[tuple[int, list[str]]]:
    """Split at tabs; quotes mean nothing."""
    for block in blocks:
        for number, line in enumerate(block.lines, block.first):
            if number not in block.undecodable:
                yield number, line.split("\t")


def csv_rows(
    blocks: Iterable[Block], name: str, problems: Problems
) -> Iterator[tuple[int, list[str]]]:
    """Parse strictly by RFC 4180; the number is that of a record's first line."""
    undecodable: set[int] = set()

    def lines() -> Iterator[str]:
        for block in blocks:
            undecodable.update(block.undecodable)
            for line in block.lines:
                yield f"{line}\n"

    reader = csv.reader(lines(), strict=True)
    while True:
        start = reader.line_num + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            lost = max(1, reader.line_num - start + 1)
            problems.add("bad CSV", f"record must be CSV; got: {error}", name, start, count=lost)
            continue
        if undecodable and not undecodable.isdisjoint(range(start, reader.line_num + 1)):
            continue
        yield start, row


def same_width(
    rows: Iterable[tuple[int, list[str]]],
    needed: int,
    width: int | None,
    name: str,
    problems: Problems,
) -> Iterator[tuple[int, list[str]]]:
    """Pass rows that have as many columns as the first (``width`` where a header said it)."""
    for number, row in rows:
        if len(row) != width:
            if width is None and len(row) >= needed:
                width = len(row)
            else:
                expected = f"at least {needed} columns"
                if width is not None:
                    expected = f"{width} columns like the first"
                message = columns_message(row, expected)
                problems.add("wrong number of columns", message, name, number)
                continue
        yield number, row


def jsonl_rows(
    blocks: Iterable[Block], keys: Sequence[Key], name: str, problems: Problems
) -> Iterator[tuple[int, list[Any]]]:
    """One JSON object a line; a row holds the values of ``keys`` in order.

    A key ``translation.en`` that is not there is looked up as ``en`` in ``translation``.
    """
    for block in blocks:
        for number, line in enumerate(block.lines, block.first):
            if number in block.undecodable:
                continue
            try:
                row = _values(line, keys)
            except BadRecordError as error:
                problems.add(error.reason, str(error), name, number)
                continue
            yield number, row


def _values(line: str, keys: Sequence[Key]) -> list[Any]:
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
    row = []
    for key, is_tags in keys:
        value = record[key] if key in record else _nested(record, key)
        if type(value) is not str:
            check_text(value, key, is_tags)
        row.append(value)
    if "\\ud" in line or "\\uD" in line:
        _check_unicode(row)
    return row


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
    for part in key.split("."):
        if not isinstance(value, dict) or part not in value:
            keys = ", ".join(map(str, record)) or "none"
            raise BadRecordError("missing key", f"record must have the key {key!r}; got {keys}")
        value = value[part]
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
