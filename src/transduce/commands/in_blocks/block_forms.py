"""What the file of a block holds: answers as ``transduce predict`` writes them, or Parquet."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq

from transduce.commands.predicting.answer_forms import FORMS, Answer, Form
from transduce.commands.predicting.table_answers import table_form
from transduce.errors import ConfigError, DataError
from transduce.reading.tables.whole_tables import Table

__all__ = ["PARQUET", "block_content", "form_name"]

PARQUET = "parquet"
Array: TypeAlias = "pa.Array[Any]"
Field: TypeAlias = "pa.Field[Any]"
_PLAIN = ("text", "jsonl", "csv", "tsv")
_OF_TABLES = ("jsonl", "csv", "tsv")


def form_name(form: str | None, kind: str | None) -> str:
    """The form that was asked for, else Parquet or that of a table (``kind``) to write again.

    Raises ConfigError for one that blocks do not have.
    """
    forms = (PARQUET, *(_PLAIN if kind is None else _OF_TABLES))
    if form is None:
        form = PARQUET if kind not in _OF_TABLES else kind
    if form not in forms:
        with_column = "" if kind is None else " and --column"
        raise ConfigError(
            f"--format must be one of {', '.join(forms)} with --on{with_column}; got {form}"
        )
    if form == PARQUET and kind == "jsonl":
        raise ConfigError(
            "--format must be jsonl where --column is one of JSON lines, each of which may have "
            "keys of its own; got parquet"
        )
    return form


def block_content(
    form: str,
    answers: Sequence[Answer],
    first: int,
    nbest: int,
    table: Table | None = None,
    schema: pa.Schema | None = None,
) -> bytes:
    """The file of a block whose first record is ``first`` of the corpus. ``schema`` is that of the
    Parquet file that is written again. Raises DataError.
    """
    if form != PARQUET:
        written = FORMS[form] if table is None else table_form(table, form)
        return _lines(written, answers, nbest)
    if table is None:
        return _parquet(_answer_columns(answers, first, nbest))
    return _parquet(_table_columns(answers, table, schema))


def _lines(form: Form, answers: Sequence[Answer], nbest: int) -> bytes:
    head = form.head(nbest, answers[0].extras)
    text = head + "".join(map(form.record, answers))
    return text.encode(errors="backslashreplace")


def _parquet(columns: dict[str, Array]) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file, compression="zstd")
    return file.getvalue()


def _answer_columns(answers: Sequence[Answer], first: int, nbest: int) -> dict[str, Array]:
    """``id``, ``source``, ``output``, ``output_2``, …, what was asked for beside, ``error``."""
    texts = [answer.texts() for answer in answers]
    columns: dict[str, Array] = {
        "id": pa.array(range(first, first + len(answers)), pa.int64()),
        "source": _texts([answer.source for answer in answers]),
    }
    for place in range(nbest):
        name = "output" if place == 0 else f"output_{place + 1}"
        columns[name] = _texts([own[place] for own in texts])
    if "confidence" in answers[0].extras:
        sure = [answer.outputs[0].confidence for answer in answers]
        columns["confidence"] = pa.array(sure, pa.float64())
    if "alignments" in answers[0].extras:
        columns["alignments"] = _texts([answer.extra("alignments") for answer in answers])
    columns["error"] = _errors(answers)
    return columns


def _table_columns(
    answers: Sequence[Answer], table: Table, schema: pa.Schema | None
) -> dict[str, Array]:
    """Those of the table, of their types, then outputs and ``error``."""
    records = [answer.row.record if answer.row is not None else {} for answer in answers]
    names = table.names or [str(number) for number in range(max(map(len, records)))]
    if len(set(names)) < len(names):
        raise DataError(f"table must have each column once; got {', '.join(names[:20])}")
    columns: dict[str, Array] = {}
    for name in names:
        values = [record.get(name) for record in records]
        columns[name] = _texts(values) if schema is None else _typed(values, schema.field(name))
    texts = [answer.texts() for answer in answers]
    for place, name in enumerate(table.added):
        columns[name] = _texts([own[place] for own in texts])
    if "error" not in columns:
        columns["error"] = _errors(answers)
    return columns


def _typed(values: Sequence[Any], field: Field) -> Array:
    try:
        written: Array = pa.array(values, field.type)
        return written
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        raise DataError(
            f"column {field.name!r} must be one that can be written again; got {error}"
        ) from None


def _errors(answers: Sequence[Answer]) -> Array:
    return _texts([answer.outputs[0].error or None for answer in answers])


def _texts(values: Sequence[Any]) -> Array:
    """Half a surrogate pair, which no UTF-8 can hold, is written as other forms write it."""
    try:
        return pa.array(values, pa.string())
    except UnicodeEncodeError:
        whole = [v if v is None else v.encode(errors="backslashreplace").decode() for v in values]
        return pa.array(whole, pa.string())
