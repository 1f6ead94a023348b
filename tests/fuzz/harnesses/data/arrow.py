"""Folders that ``datasets`` saves: Arrow streams and a state that names them."""

from __future__ import annotations

import io
import json

import pyarrow as pa

from fuzz.feeding.pairs import OPTIONS, change_options, feed_pairs, options
from fuzz.harness import Files, Harness
from fuzz.mutations.octets import octets
from fuzz.mutations.values import json_with

_WORDS = ["walk", "go", "see", "é", "日本", ""] * 5
_STATE = json.dumps(
    {"_data_files": [{"filename": "data.arrow"}], "_fingerprint": "0", "_split": "train"}
).encode()


def _stream(table: pa.Table, compression: str | None = None) -> bytes:
    sink = io.BytesIO()
    written = pa.ipc.IpcWriteOptions(compression=compression)
    with pa.ipc.new_stream(sink, table.schema, options=written) as writer:
        writer.write_table(table, max_chunksize=16)
    return sink.getvalue()


def _folder(table: pa.Table, compression: str | None = None, **asked: object) -> Files:
    held = {"d/data.arrow": _stream(table, compression), "d/state.json": _STATE}
    return held | ({OPTIONS: options(**asked)} if asked else {})


def _samples() -> list[Files]:
    words = pa.array(_WORDS)
    plain = pa.table({"source": words, "target": [f"{word}x" for word in _WORDS]})
    coded = pa.table({"source": words.dictionary_encode(), "target": words})
    views = pa.table({"source": words.cast(pa.string_view()), "target": words})
    large = pa.table({"source": words.cast(pa.large_string()), "target": words})
    nested = pa.table({"translation": [{"en": "a", "de": "b"}, {"en": "c", "de": None}]})
    tags = pa.table({"source": ["a", "b"], "tags": [["V", "PST"], []], "target": ["c", "d"]})
    return [
        *map(_folder, (plain, coded, views, large)),
        _folder(plain, "zstd"),
        _folder(plain, "lz4"),
        _folder(nested, source="translation.en", target="translation.de"),
        _folder(tags, source=["source", {"tags": "tags"}]),
    ]


HARNESS = Harness(
    "arrow",
    _samples,
    {
        OPTIONS: change_options,
        "*/state.json": json_with("data.arrow", "state.json", "../d/data.arrow", "/dev/zero"),
        "*": octets,
    },
    feed_pairs,
    quick=80,
)
