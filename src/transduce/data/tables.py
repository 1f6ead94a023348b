"""Parquet files and Hugging Face ``datasets`` folders, read by record batches.

A folder written by ``Dataset.save_to_disk`` holds Arrow streams, which pyarrow
reads: the ``datasets`` package is not needed.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from transduce.data.problems import BadFileError, BadRecordError, Problems
from transduce.data.records import Key, check_text

__all__ = ["datasets_rows", "parquet_rows"]

_ROWS = 8192  # of a record batch: a few MB of text


def parquet_rows(
    path: Path, keys: Sequence[Key], problems: Problems
) -> Iterator[tuple[int, list[Any]]]:
    """Rows of a file, ``(number from 1, values of keys)``; raises BadFileError for other files."""
    if not path.is_file():
        raise BadFileError("missing file", "file must exist; got no such file", path)
    with _arrow_errors(path, "a Parquet file"), pq.ParquetFile(path) as file:
        _check_columns(file.schema_arrow, keys, path)
        roots = list(dict.fromkeys(_root(file.schema_arrow, key) for key, _ in keys))
        yield from _rows(file.iter_batches(_ROWS, columns=roots), keys, path, problems)


def datasets_rows(
    folder: Path, keys: Sequence[Key], problems: Problems
) -> Iterator[tuple[int, list[Any]]]:
    """Rows of a folder, ``(number from 1, values of keys)``; raises BadFileError for others."""
    files = _arrow_files(folder)
    batches = (batch for file in files for batch in _arrow_batches(file, keys))
    yield from _rows(batches, keys, folder, problems)


def _arrow_files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise BadFileError("missing file", "folder must exist; got no such folder", folder)
    splits = folder / "dataset_dict.json"
    state = folder / "state.json"
    try:
        if splits.is_file():
            names = ", ".join(json.loads(splits.read_text(encoding="utf-8"))["splits"])
            message = f"folder must be one split of the dataset ({names}); got all of them"
            raise BadFileError("not a dataset", message, folder)
        entries = json.loads(state.read_text(encoding="utf-8"))["_data_files"]
        return [folder / entry["filename"] for entry in entries]
    except (OSError, ValueError, KeyError, TypeError):
        message = "folder must be one written by datasets' save_to_disk; got none with state.json"
        raise BadFileError("not a dataset", message, folder) from None


def _arrow_batches(file: Path, keys: Sequence[Key]) -> Iterator[pa.RecordBatch]:
    if not file.is_file():
        raise BadFileError("missing file", "file must exist; got no such file", file)
    with (
        _arrow_errors(file, "an Arrow stream"),
        pa.OSFile(str(file), "r") as source,
        pa.ipc.open_stream(source) as stream,
    ):
        _check_columns(stream.schema, keys, file)
        for batch in stream:
            for start in range(0, batch.num_rows, _ROWS):
                yield batch.slice(start, _ROWS)


@contextlib.contextmanager
def _arrow_errors(path: Path, expected: str) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        detail = str(error).partition("\n")[0]
        raise BadFileError(
            "corrupt file", f"file must be {expected}; got: {detail}", path
        ) from None


def _root(schema: pa.Schema, key: str) -> str:
    return key if key in schema.names else key.partition(".")[0]


def _check_columns(schema: pa.Schema, keys: Sequence[Key], path: Path) -> None:
    for key, is_tags in keys:
        root = _root(schema, key)
        kind = schema.field(root).type if root in schema.names else None
        for part in [] if root == key else key.split(".")[1:]:
            if kind is None or not pa.types.is_struct(kind) or kind.get_field_index(part) < 0:
                kind = None
                break
            kind = kind.field(part).type
        if kind is None:
            names = ", ".join(schema.names)
            message = f"table must have the column {key!r}; got {names}"
            raise BadFileError("missing column", message, path)
        if not (_is_text(kind) or (is_tags and _is_list(kind) and _is_text(kind.value_type))):
            expected = "text or lists of text" if is_tags else "text"
            message = f"column {key!r} must hold {expected}; got {kind}"
            raise BadFileError("not text", message, path)


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind))


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    views = pa.types.is_string_view(kind)
    return bool(views or pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _rows(
    batches: Iterable[pa.RecordBatch], keys: Sequence[Key], path: Path, problems: Problems
) -> Iterator[tuple[int, list[Any]]]:
    first = 1
    for batch in batches:
        columns = [_column(batch, key) for key, _ in keys]
        for number, row in enumerate(zip(*columns, strict=True), first):
            try:
                for value, (key, is_tags) in zip(row, keys, strict=True):
                    if type(value) is not str:
                        _check_value(value, key, is_tags)
            except BadRecordError as error:
                problems.add(error.reason, str(error), path, number)
                continue
            yield number, list(row)
        first += batch.num_rows


def _check_value(value: Any, key: str, is_tags: bool) -> None:
    if isinstance(value, bytes):
        raise BadRecordError("not UTF-8", f"{key!r} must be UTF-8 text; got other bytes")
    check_text(value, key, is_tags)


def _column(batch: pa.RecordBatch, key: str) -> list[Any]:
    root = _root(batch.schema, key)
    column = batch.column(root)
    for part in [] if root == key else key.split(".")[1:]:
        column = pc.struct_field(column, part)
    if _is_list(column.type):
        return list(column.to_pylist())
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_string_view(column.type):
        column = column.cast(pa.large_string())
    try:
        # An object array first: several times faster than to_pylist.
        return list(column.to_numpy(zero_copy_only=False).tolist())
    except (pa.ArrowException, UnicodeDecodeError):
        return [_text_or_bytes(value) for value in column.cast(pa.large_binary()).to_pylist()]


def _text_or_bytes(value: bytes | None) -> str | bytes | None:
    try:
        return None if value is None else value.decode()
    except UnicodeDecodeError:
        return value
