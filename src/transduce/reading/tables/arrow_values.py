"""Values of Arrow's columns as Python's own texts, in portions that fit into memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, islice
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from transduce.reading.problems import BadRecordError
from transduce.reading.records import Key, check_text
from transduce.reading.streams import LONGEST_LINE

__all__ = ["checked_rows", "is_list", "is_text", "root_of", "text_columns", "text_length"]

Column = Any  # a pyarrow.Array: its stubs know few of the kinds' own methods

_ROWS = 1024  # of a portion
_PORTION = 1 << 25  # bytes of a portion; of larger ones each row is looked at alone
_VIEW = 16  # bytes of a view of a text
_TOO_LONG = "x" * (LONGEST_LINE + 1)  # stands for texts that are not worth their memory


def root_of(schema: pa.Schema, key: str) -> str:
    """The column that holds a key: its own, or for ``translation.en`` that of the structure."""
    return key if key in schema.names else key.partition(".")[0]


def is_list(kind: pa.DataType) -> bool:
    """Whether values are lists."""
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind))


def is_text(kind: pa.DataType) -> bool:
    """Whether values are texts, perhaps entries of a dictionary."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    views = pa.types.is_string_view(kind)
    return bool(views or pa.types.is_string(kind) or pa.types.is_large_string(kind))


def text_columns(batch: pa.RecordBatch, keys: Sequence[Key]) -> Iterator[list[list[Any]]]:
    """Portions of a batch, each the values of every key.

    These are texts, bytes that are none, lists of these, or None. Before a value is looked at, all
    offsets and numbers of entries are checked. Raises pa.ArrowException.
    """
    batch.validate()
    columns = [_leaf(batch, key) for key, _ in keys]
    for column in columns:
        # As bytes: a text that is not UTF-8 is one bad row, not a damaged file.
        column.view(_of_bytes(column.type)).validate(full=True)
    for portion in _portions(columns, batch.num_rows):
        yield list(map(_values, portion))


def _of_bytes(kind: Any) -> Any:
    """The same type with bytes in the place of text."""
    if pa.types.is_dictionary(kind):
        return pa.dictionary(kind.index_type, _of_bytes(kind.value_type))
    if pa.types.is_list(kind):
        return pa.list_(_of_bytes(kind.value_type))
    if pa.types.is_large_list(kind):
        return pa.large_list(_of_bytes(kind.value_type))
    if pa.types.is_string_view(kind):
        return pa.binary_view()
    return pa.large_binary() if pa.types.is_large_string(kind) else pa.binary()


def _leaf(batch: pa.RecordBatch, key: str) -> Column:
    """The column itself, or the field of a structure in it."""
    root = root_of(batch.schema, key)
    column: Column = batch.column(root)
    for name in [] if root == key else key.split(".")[1:]:
        column = pc.struct_field(column, name)
    return column


def _portions(columns: Sequence[Column], rows: int) -> Iterator[list[Column]]:
    for start in range(0, rows, _ROWS):
        portion = [column.slice(start, _ROWS) for column in columns]
        if sum(map(_bytes, portion)) <= _PORTION:
            yield portion
            continue
        for place in range(len(portion[0])):
            yield [_short(column.slice(place, 1)) for column in portion]


def _bytes(column: Column) -> int:
    """What its values take as Python's own, about. Those of a dictionary are shared."""
    if pa.types.is_dictionary(column.type):
        return int(column.indices.nbytes)
    if pa.types.is_string_view(column.type):
        views = column.buffers()[1]
        lengths = np.frombuffer(views, "<i4")[:: _VIEW // 4] if views else np.empty(0, np.int32)
        return int(lengths[column.offset : column.offset + len(column)].sum(dtype=np.int64))
    return int(column.nbytes)


def _short(column: Column) -> Column:
    """A column of one value; ``_TOO_LONG`` in the place of one beyond a line's length."""
    return pa.array([_TOO_LONG]) if _bytes(column) > 2 * LONGEST_LINE else column


def _values(column: Column) -> list[Any]:
    """Texts, bytes that are none, lists of these, or None."""
    if is_list(column.type):
        flat = iter(_values(column.flatten()))
        return [
            None if count is None else list(islice(flat, count))
            for count in column.value_lengths().to_pylist()
        ]
    if pa.types.is_dictionary(column.type):
        used = pc.unique(column.indices).drop_null()
        texts = _values(column.dictionary.take(used))
        known = dict(zip(used.to_pylist(), texts, strict=True))
        return [known.get(index) for index in column.indices.to_pylist()]
    try:
        # An object array first: several times faster than to_pylist.
        plain = column.cast(pa.large_string()) if pa.types.is_string_view(column.type) else column
        return list(plain.to_numpy(zero_copy_only=False).tolist())
    except (pa.ArrowException, UnicodeDecodeError):
        return [_text_or_bytes(value) for value in column.cast(pa.large_binary()).to_pylist()]


def _text_or_bytes(value: bytes | None) -> str | bytes | None:
    try:
        return None if value is None else value.decode()
    except UnicodeDecodeError:
        return value


def text_length(column: Sequence[Any]) -> int:
    """Characters of all texts of a column, those of lists among them."""
    return sum(map(len, column)) if _is_plain(column) else sum(map(_length, column))


def checked_rows(
    columns: Sequence[Sequence[Any]], keys: Sequence[Key]
) -> Iterator[list[Any] | BadRecordError]:
    """The rows of some columns, or what is wrong with them."""
    rows = map(list, zip(*columns, strict=True))
    plain = all(_is_plain(column) for column in columns)
    if plain and max(map(len, chain.from_iterable(columns)), default=0) <= LONGEST_LINE:
        return rows
    return (_checked(row, keys) for row in rows)


def _is_plain(column: Sequence[Any]) -> bool:
    return set(map(type, column)) <= {str}


def _length(value: Any) -> int:
    if isinstance(value, list):
        return sum(map(_length, value))
    return len(value) if value else 0


def _checked(row: list[Any], keys: Sequence[Key]) -> list[Any] | BadRecordError:
    try:
        for value, (key, is_tags) in zip(row, keys, strict=True):
            if isinstance(value, bytes) or (isinstance(value, list) and any(map(_is_bytes, value))):
                raise BadRecordError("not UTF-8", f"{key!r} must be UTF-8 text; got other bytes")
            if _length(value) > LONGEST_LINE:
                message = f"{key!r} must have at most {LONGEST_LINE:,} characters; got more"
                raise BadRecordError("text too long", message)
            if type(value) is not str:
                check_text(value, key, is_tags)
    except BadRecordError as error:
        return error
    return row


def _is_bytes(value: object) -> bool:
    return isinstance(value, bytes)
