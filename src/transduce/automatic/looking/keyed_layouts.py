"""Which keys of JSON lines, or columns of a Parquet file, are source and target."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transduce.errors import DataError
from transduce.reading.column_names import named_columns
from transduce.reading.formats import keyed_rows
from transduce.reading.problems import BadFileError, BadRecordError
from transduce.reading.streams import open_stream, read_blocks

__all__ = ["Keyed", "keyed_layout"]

_LOOKED_AT = 200  # records


@dataclass(frozen=True)
class Keyed:
    """Keys of the section ``data``, what to say, and some sources."""

    data: dict[str, Any]
    lines: tuple[str, ...]
    sources: tuple[str, ...]


def keyed_layout(path: Path, kind: str) -> Keyed:
    """Raises DataError where no two keys hold texts."""
    try:
        texts, tags = _json_keys(path) if kind == "jsonl" else _parquet_columns(path)
    except BadFileError as error:
        raise DataError(str(error), file=error.file, line=error.line) from None
    if len(texts) < 2:
        got = ", ".join([*texts, *tags]) or "none"
        message = f"records must have two keys with texts, a source and a target; got {got}"
        raise DataError(message, file=path)
    told = named_columns([name.rpartition(".")[2] for name in texts])
    source, target = (texts[told[0]], texts[told[1]]) if told else (texts[0], texts[1])
    said = [f"{path.name}: the source is {source!r}, the target {target!r}"]
    others = [name for name in texts if name not in (source, target)]
    if others:
        said.append(f"left out: {', '.join(others)}")
    data: dict[str, Any] = {"format": kind, "source": source, "target": target}
    if tags:
        data["source"] = [source, *({"tags": name} for name in tags)]
        said.append(f"tags: {', '.join(tags)}")
    return Keyed(data, tuple(said), _some(path, kind, source))


def _json_keys(path: Path) -> tuple[list[str], list[str]]:
    """Names of the keys that hold text in all of the first records, and of those with tags."""
    records = []
    with open_stream(path) as stream:
        for block in read_blocks(stream, str(path)):
            for _, line in block.rows():
                if isinstance(line, BadRecordError) or not line.strip():
                    continue
                try:
                    record = json.loads(line)
                except (ValueError, RecursionError):
                    continue
                if isinstance(record, dict):
                    records.append(_flat(record))
                if len(records) >= _LOOKED_AT:
                    return _common(records)
    if not records:
        raise DataError("file must hold a JSON object on each line; got none", file=path)
    return _common(records)


def _flat(record: dict[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in record.items():
        if isinstance(value, dict):
            flat |= {f"{key}.{inner}": of for inner, of in value.items()}
        else:
            flat[key] = value
    return flat


def _common(records: Sequence[dict[str, Any]]) -> tuple[list[str], list[str]]:
    def everywhere(name: str, is_right: Any) -> bool:
        return all(is_right(record.get(name)) for record in records)

    names = list(records[0])
    return (
        [name for name in names if everywhere(name, lambda value: isinstance(value, str))],
        [name for name in names if everywhere(name, _is_tags)],
    )


def _is_tags(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(tag, str) for tag in value)


def _parquet_columns(path: Path) -> tuple[list[str], list[str]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        schema = pq.read_schema(path)
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"file must be a Parquet file; got: {error}", file=path) from None
    texts = [
        f.name for f in schema if pa.types.is_string(f.type) or pa.types.is_large_string(f.type)
    ]
    tags = [
        f.name for f in schema if pa.types.is_list(f.type) and pa.types.is_string(f.type.value_type)
    ]
    return texts, tags


def _some(path: Path, kind: str, source: str) -> tuple[str, ...]:
    found: list[str] = []
    with keyed_rows(path, kind, [(source, False)]) as rows:
        for _, row in rows:
            if not isinstance(row, BadRecordError):
                found.append(str(row[0]))
            if len(found) >= _LOOKED_AT:
                break
    return tuple(found)
