"""Pairs as records of JSON lines, and what a recipe says to read them so."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transduce.errors import DataError
from transduce.files import replacing
from transduce.reading.columns import Layout, split_columns
from transduce.reading.pair_files import Example

__all__ = ["RecordShape", "WrittenPart", "write_examples", "write_records"]


@dataclass(frozen=True)
class RecordShape:
    """How a pair stands in a record: the columns of its source by their keys, then ``target``.

    ``in_files``: a source is a path, which is written whole, as the record's file stands elsewhere.
    """

    layout: Layout
    in_files: bool = False

    @property
    def keys(self) -> list[str]:
        """``source`` and ``tags``, with a number from the second on."""
        counts: Counter[str] = Counter()
        keys = []
        for column in self.layout.sources:
            name = "tags" if column.tags else "source"
            counts[name] += 1
            keys.append(name if counts[name] == 1 else f"{name}_{counts[name]}")
        return keys

    @property
    def text_keys(self) -> list[str]:
        """The keys of the source's texts."""
        pairs = zip(self.keys, self.layout.sources, strict=True)
        return [key for key, column in pairs if not column.tags]

    def columns(self) -> dict[str, Any]:
        """What a recipe says to read a file of such records."""
        pairs = zip(self.keys, self.layout.sources, strict=True)
        source = [{"tags": key} if column.tags else key for key, column in pairs]
        return {"source": source, "target": "target"}

    def record(self, source: str, target: str) -> dict[str, object]:
        """A pair as JSON has it. Raises DataError for a source that has not these columns."""
        if self.in_files:
            return {"source": os.path.abspath(source), "target": target}
        if self.layout.is_plain:
            return {"source": source, "target": target}
        columns = split_columns(source, self.layout.sources)
        if columns is None:
            raise DataError(f"source must have the columns of data.source; got {source!r}")
        return {**dict(zip(self.keys, columns, strict=True)), "target": target}


@dataclass(frozen=True)
class WrittenPart:
    """The files of one part ("" where the data is no mixture), and how a pair stands in them."""

    name: str
    train: Sequence[str]
    shape: RecordShape
    dev: str | None = None
    test: str | None = None

    def options(self) -> dict[str, Any]:
        """What the recipe says of the files."""
        train = self.train[0] if len(self.train) == 1 else list(self.train)
        found: dict[str, Any] = {"train": train}
        found |= {split: name for split in ("dev", "test") if (name := getattr(self, split))}
        return found if self.shape.layout.is_plain else found | self.shape.columns()


def write_records(path: Path, records: Iterable[Mapping[str, object]]) -> int:
    """Replace a file by these, a line each; gives their number. Raises OSError."""
    count = 0
    with replacing(path) as aside, aside.open("wb") as file:
        for count, record in enumerate(records, 1):  # noqa: B007
            line = json.dumps(record, ensure_ascii=False) + "\n"
            file.write(line.encode(errors="backslashreplace"))
    return count


def write_examples(path: Path, examples: Iterable[Example], shape: RecordShape) -> None:
    """A record for each reference. Raises OSError."""
    write_records(
        path,
        (
            shape.record(example.source, reference)
            for example in examples
            for reference in example.references
        ),
    )
