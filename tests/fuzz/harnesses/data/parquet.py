"""Parquet files: text, lists of tags, nested columns, every packing and encoding."""

from __future__ import annotations

import io
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from fuzz.feeding.pairs import OPTIONS, change_options, feed_pairs, options
from fuzz.harness import Files, Harness
from fuzz.mutations.octets import at_end, octets, several

_WORDS = ["walk", "go", "see", "é", "日本", ""] * 5


def _file(table: pa.Table, **written: Any) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, **written)
    return sink.getvalue()


def _samples() -> list[Files]:
    plain = pa.table({"source": _WORDS, "target": [f"{word}x" for word in _WORDS]})
    nested = pa.table({"translation": [{"en": "a", "de": "b"}, {"en": "c", "de": None}]})
    tags = pa.table({"source": ["a", "b"], "tags": [["V", "PST"], []], "target": ["c", "d"]})
    large = plain.cast(pa.schema([("source", pa.large_string()), ("target", pa.large_string())]))
    pages: list[dict[str, Any]] = [
        {},
        {"compression": "none"},
        {"compression": "zstd", "data_page_version": "2.0"},
        {"compression": "gzip", "use_dictionary": False},
        {
            "compression": "none",
            "use_dictionary": False,
            "column_encoding": {"source": "DELTA_BYTE_ARRAY", "target": "DELTA_LENGTH_BYTE_ARRAY"},
        },
        {"compression": "brotli", "row_group_size": 7, "write_statistics": False},
        {"compression": "lz4", "store_schema": False},
    ]
    files = [{"a.parquet": _file(plain, **written)} for written in pages]
    return [
        *files,
        {"a.parquet": _file(large, compression="none")},
        {
            "a.parquet": _file(nested, compression="none"),
            OPTIONS: options(source="translation.en", target="translation.de"),
        },
        {
            "a.parquet": _file(tags, compression="none"),
            OPTIONS: options(source=["source", {"tags": "tags"}]),
        },
    ]


HARNESS = Harness(
    "parquet",
    _samples,
    {OPTIONS: change_options, "*": several(octets, at_end(400), at_end(1200), most=2)},
    feed_pairs,
    quick=200,
)
