"""Parquet files and Hugging Face ``datasets`` folders, read by record batches.

A folder written by ``Dataset.save_to_disk`` holds Arrow streams, which pyarrow
reads: the ``datasets`` package is not needed.

The library believes what a file says of itself, so sizes are added up first, every batch is
validated before a value is looked at, and few rows are unpacked at once where a few bytes may
stand for many texts.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Sequence
from itertools import chain, groupby
from operator import attrgetter
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from transduce.reading.problems import BadFileError, BadRecordError
from transduce.reading.records import Key
from transduce.reading.streams import LONGEST_LINE, open_file, refuse_bomb
from transduce.reading.tables.arrow_messages import messages
from transduce.reading.tables.arrow_values import (
    checked_rows,
    is_list,
    is_text,
    root_of,
    text_columns,
    text_length,
)
from transduce.reading.tables.parquet_pages import chunks, pages
from transduce.untrusted.opening import open_regular

__all__ = ["datasets_rows", "parquet_records", "parquet_rows"]

T = TypeVar("T")
Rows = Iterator[tuple[int, list[Any] | BadRecordError]]

_ROWS = 1024  # unpacked together
_LARGEST_PAGE = 1 << 27  # bytes: pages of 1 MiB are usual, some programs write 100 MB
_LARGEST_BODY = 1 << 27  # bytes of a record batch that is read; larger ones are mapped
_MOST_COLUMNS = 10_000
_LEAST_ROW = 4  # bytes that a row counts for, however well it is packed
_LARGEST_STATE = 1 << 24  # bytes of state.json


def parquet_rows(path: Path, keys: Sequence[Key]) -> Rows:
    """Rows of a file, ``(number from 1, values of keys)``; raises BadFileError for other files."""
    given = _Given(path, [path])
    yield from _numbered(_parquet_batches(path, keys, whole=False), keys, given)


def parquet_records(
    path: Path, key: str
) -> tuple[list[str], Iterator[tuple[int, str | BadRecordError, dict[str, Any]]]]:
    """The names of all columns, and rows ``(number from 1, text of the key, values by name)``.

    A row that is longer than a line may be has no values. Raises BadFileError.
    """
    with open_file(path), _arrow_errors(path, "a Parquet file"):
        names = list(pq.read_schema(path).names)
    if len(set(names)) < len(names):
        message = f"table must have each column once; got {', '.join(names[:20])}"
        raise BadFileError("repeated column", message, path)
    batches = _parquet_batches(path, [(key, False)], whole=True)
    first = next(batches, None)  # now, so that the file is checked before anything is written
    return names, _whole(chain([] if first is None else [first], batches), key, path)


def _whole(
    batches: Iterator[pa.RecordBatch], key: str, path: Path
) -> Iterator[tuple[int, str | BadRecordError, dict[str, Any]]]:
    number, given = 0, _Given(path, [path])
    for batch in batches:
        with _arrow_errors(path, "a Parquet file"):
            batch.validate(full=True)
        start = number
        for _, row in _numbered(iter([batch]), [(key, False)], given):
            with _arrow_errors(path, "a Parquet file"):
                one = batch.slice(number - start, 1)
                fits = sum(map(_row_bytes, one.columns)) <= 2 * LONGEST_LINE
                record = one.to_pylist()[0] if fits else {}
            number += 1
            if not fits and not isinstance(row, BadRecordError):
                message = f"row must have at most {2 * LONGEST_LINE:,} bytes; got more"
                row = BadRecordError("record too long", message)
            yield number, row if isinstance(row, BadRecordError) else row[0], record


def _row_bytes(column: Any) -> int:
    """Entries of a dictionary are shared by all rows."""
    shared = pa.types.is_dictionary(column.type)
    return int(column.indices.nbytes if shared else column.nbytes)


def _parquet_batches(path: Path, keys: Sequence[Key], *, whole: bool) -> Iterator[pa.RecordBatch]:
    """Of the columns that hold the keys, or of all."""
    with open_file(path) as stream:
        with _arrow_errors(path, "a Parquet file"):
            file = pq.ParquetFile(path, pre_buffer=False)
        with file:
            columns = file.metadata.num_columns
            if columns > _MOST_COLUMNS:
                message = f"table must have at most {_MOST_COLUMNS:,} columns; got {columns:,}"
                raise BadFileError("corrupt file", message, path)
            with _arrow_errors(path, "a Parquet file"):
                roots = _checked_roots(file.schema_arrow, keys, path)
                roots = list(file.schema_arrow.names) if whole else roots
            rows = _rows_at_once(file, roots, stream, path)
            with _arrow_errors(path, "a Parquet file"):
                batches = file.iter_batches(rows, columns=roots, use_threads=False)
            yield from _each(batches, path, "a Parquet file")


def datasets_rows(folder: Path, keys: Sequence[Key]) -> Rows:
    """Rows of a folder, ``(number from 1, values of keys)``; raises BadFileError for others."""
    files = _arrow_files(folder)
    batches = (batch for file in files for batch in _arrow_batches(file, keys))
    yield from _numbered(batches, keys, _Given(folder, files))


# ---------------------------------------------------------------- Parquet


def _rows_at_once(file: pq.ParquetFile, roots: Sequence[str], stream: BinaryIO, path: Path) -> int:
    """How many rows may be unpacked together. Raises BadFileError for pages beyond all measure."""
    size = _size(stream)
    refuse_bomb(_LEAST_ROW * file.metadata.num_rows, size, path)
    schema = file.schema
    leaves = range(file.metadata.num_columns)
    wanted = {n for n in leaves if schema.column(n).path.partition(".")[0] in roots}
    with _arrow_errors(path, "a Parquet file"):
        asked = [chunk for chunk in chunks(stream, size) if chunk.column in wanted]
    unpacked, at_once = 0, _ROWS
    for _, group in groupby(asked, key=attrgetter("group")):
        repeated, apart = 0, 0.0
        for chunk in group:
            with _arrow_errors(path, "a Parquet file"):
                found = list(pages(stream, chunk.start, chunk.end, chunk.values))
            unpacked += sum(page.size for page in found)
            largest = max((page.size for page in found), default=0)
            if largest > _LARGEST_PAGE:
                message = f"pages must unpack to at most {_LARGEST_PAGE >> 20} MiB; got {largest:,}"
                raise BadFileError("unpacks to too much", f"{message} bytes", path)
            repeated += max((page.size for page in found if page.repeats), default=0)
            apart += max((page.size / max(1, page.values) for page in found), default=0)
        refuse_bomb(unpacked, size, path)
        at_once = min(at_once, int(_LARGEST_PAGE // max(1, repeated, apart)))
    return max(1, at_once)


# ---------------------------------------------------------------- Arrow streams


def _arrow_files(folder: Path) -> list[Path]:
    if not os.path.isdir(folder):
        raise BadFileError("missing file", "folder must exist; got no such folder", folder)
    try:
        splits = folder / "dataset_dict.json"
        if os.path.isfile(splits):
            names = ", ".join(_read_json(splits)["splits"])
            message = f"folder must be one split of the dataset ({names}); got all of them"
            raise BadFileError("not a dataset", message, folder)
        entries = _read_json(folder / "state.json")["_data_files"]
        return [folder / entry["filename"] for entry in entries]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        message = "folder must be one written by datasets' save_to_disk; got none with state.json"
        raise BadFileError("not a dataset", message, folder) from None


def _read_json(path: Path) -> Any:
    with open_regular(path) as file:
        data = file.read(_LARGEST_STATE + 1)
    if len(data) > _LARGEST_STATE:
        raise ValueError("too large")
    return json.loads(data)


def _arrow_batches(path: Path, keys: Sequence[Key]) -> Iterator[pa.RecordBatch]:
    expected = "an Arrow stream"
    with open_file(path) as stream:
        size, unpacked, largest = _size(stream), 0, 0
        with _arrow_errors(path, expected):
            found = list(messages(stream))
        for message in found:
            unpacked += message.unpacked
            largest = max(largest, message.body)
            if message.unpacked > max(_LARGEST_PAGE, message.body):
                text = f"batches must unpack to at most {_LARGEST_PAGE >> 20} MiB; got"
                detail = f"{text} {message.unpacked:,} bytes"
                raise BadFileError("unpacks to too much", detail, path)
        refuse_bomb(unpacked, size, path)
    with _arrow_errors(path, expected):
        # What is mapped must not change meanwhile; only where memory would not do.
        large = largest > _LARGEST_BODY
        source = pa.memory_map(str(path)) if large else pa.OSFile(str(path), "r")
    with source:
        with _arrow_errors(path, expected):
            reader = pa.ipc.open_stream(source)
            _checked_roots(reader.schema, keys, path)
        with reader:
            yield from _each(reader, path, expected)


# ---------------------------------------------------------------- both


def _size(file: BinaryIO) -> int:
    return os.fstat(file.fileno()).st_size


@contextlib.contextmanager
def _arrow_errors(path: Path, expected: str) -> Iterator[None]:
    """Whatever the library stumbles over is the file's fault."""
    try:
        yield
    except MemoryError:
        message = f"file must be {expected} that fits into memory; got a larger one"
        raise BadFileError("corrupt file", message, path) from None
    except (pa.ArrowException, OSError, ValueError, SystemError, OverflowError) as error:
        detail = str(error).partition("\n")[0]
        message = f"file must be {expected}; got: {detail}"
        raise BadFileError("corrupt file", message, path) from None


def _each(items: Iterator[T], path: Path, expected: str) -> Iterator[T]:
    """The items, where the library makes them of a file."""
    while True:
        with _arrow_errors(path, expected):
            item = next(items, None)
        if item is None:
            return
        yield item


def _checked_roots(schema: pa.Schema, keys: Sequence[Key], path: Path) -> list[str]:
    """The columns that hold the keys. Raises BadFileError where one is missing or not text."""
    if len(schema.names) > _MOST_COLUMNS:
        message = f"table must have at most {_MOST_COLUMNS:,} columns; got {len(schema.names):,}"
        raise BadFileError("corrupt file", message, path)
    for key, is_tags in keys:
        root = root_of(schema, key)
        if schema.names.count(root) > 1:
            message = f"table must have the column {root!r} once; got several"
            raise BadFileError("missing column", message, path)
        kind = schema.field(root).type if root in schema.names else None
        for name in [] if root == key else key.split(".")[1:]:
            if kind is None or not pa.types.is_struct(kind) or kind.get_field_index(name) < 0:
                kind = None
                break
            kind = kind.field(name).type
        if kind is None:
            names = ", ".join(schema.names)
            message = f"table must have the column {key!r}; got {names}"
            raise BadFileError("missing column", message, path)
        if not (is_text(kind) or (is_tags and is_list(kind) and is_text(kind.value_type))):
            expected = "text or lists of text" if is_tags else "text"
            message = f"column {key!r} must hold {expected}; got {kind}"
            raise BadFileError("not text", message, path)
    return list(dict.fromkeys(root_of(schema, key) for key, _ in keys))


class _Given:
    """How much text came out of files; no more than their size permits."""

    def __init__(self, path: Path, files: Sequence[Path]) -> None:
        self.path = path
        self._size = sum(os.path.getsize(file) for file in files if os.path.isfile(file))
        self._bytes = 0

    def add(self, texts: int) -> None:
        """Raise BadFileError where it is beyond all measure."""
        self._bytes += texts
        refuse_bomb(self._bytes, self._size, self.path)


def _numbered(batches: Iterator[pa.RecordBatch], keys: Sequence[Key], given: _Given) -> Rows:
    number = 0
    for batch in batches:
        for columns in _each(text_columns(batch, keys), given.path, "a table"):
            given.add(sum(map(text_length, columns)))
            for row in checked_rows(columns, keys):
                number += 1
                yield number, row
