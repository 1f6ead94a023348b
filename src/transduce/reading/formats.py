"""The format of a file, and rows of the formats whose columns have names."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from transduce.reading.problems import BadRecordError
from transduce.reading.records import Key, jsonl_rows
from transduce.reading.streams import bare_suffix, open_stream, read_blocks

__all__ = ["FileFormat", "format_of", "keyed_rows"]

FileFormat = Literal["tsv", "csv", "jsonl", "parquet", "datasets"]
_FORMATS: dict[str, FileFormat] = {
    ".tsv": "tsv",
    ".csv": "csv",
    ".jsonl": "jsonl",
    ".parquet": "parquet",
}


def format_of(path: Path) -> FileFormat | None:
    """What the suffix says (``.gz`` and ``.zst`` taken off); None where it says nothing."""
    return "datasets" if os.path.isdir(path) else _FORMATS.get(bare_suffix(path))


@contextlib.contextmanager
def keyed_rows(
    path: Path, kind: str, keys: Sequence[Key], *, blank: bool = False
) -> Iterator[Iterator[tuple[int, list[Any] | BadRecordError]]]:
    """Rows ``(line or row number, values of keys)`` of JSON lines, Parquet or a datasets folder.

    A BadRecordError stands in the place of a row that cannot be used. ``blank`` lines of JSON are
    rows of empty texts.
    """
    if kind == "jsonl":
        with open_stream(path) as stream:
            yield jsonl_rows(read_blocks(stream, str(path)), keys, blank=blank)
        return
    from transduce.reading.tables import (
        table_files,  # pyarrow takes time to start; most data is text
    )

    read = table_files.parquet_rows if kind == "parquet" else table_files.datasets_rows
    yield read(path, keys)
