"""The files of a corpus: found by their names, read once to know them."""

from __future__ import annotations

import glob
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from transduce.commands.answering.corpus_models import CorpusModels
from transduce.errors import ConfigError, DataError
from transduce.workflow.corpora.digests import file_digest

if TYPE_CHECKING:
    from transduce.reading.tables.whole_tables import TableKind

__all__ = ["CorpusFile", "kind_of_table", "named_files", "survey"]

_SHOWN = 8  # names of columns in a message


@dataclass(frozen=True)
class CorpusFile:
    """A file of ``records``; with ``--column`` it is a table of a ``kind`` with ``columns``."""

    path: str
    records: int
    digest: str
    kind: TableKind | None = None
    columns: tuple[str, ...] | None = None


def named_files(inputs: Sequence[str]) -> list[str]:
    """The files that names and patterns (``*``, ``?``, ``[…]``, ``**``) mean, those of a pattern in
    the order of their names. Raises ConfigError.
    """
    found: list[str] = []
    for given in inputs:
        if given == "-":
            raise ConfigError("INPUT must be files with --on, which may be read again; got -")
        if os.path.exists(given) or not glob.has_magic(given):
            found.append(given)
            continue
        matched = sorted(glob.glob(given, recursive=True))
        if not matched:
            raise ConfigError(f"INPUT must be files that exist; got {given!r}, which matches none")
        found += matched
    for path in found:
        if found.count(path) > 1:
            raise ConfigError(f"INPUT must name each file once; got {path} twice")
    return found


def kind_of_table(path: str, models: CorpusModels) -> TableKind | None:
    """Of what kind a file's table is, if it is one (``--column``). Raises DataError, ConfigError
    where it has no such column.
    """
    with models.opened(path) as file:
        return None if file.table is None else file.table.kind


def survey(
    paths: Sequence[str], models: CorpusModels, say: Callable[[str], None]
) -> list[CorpusFile]:
    """Count the records of each file. Raises DataError for one that cannot be read to its end, or
    that has other columns than the first.
    """
    files: list[CorpusFile] = []
    for path in paths:
        file = _surveyed(path, models)
        if files:
            _require_alike(files[0], file)
        files.append(file)
    if not any(file.records for file in files):
        raise DataError(f"INPUT must have records; got none in {', '.join(paths[:_SHOWN])}")
    say(f"{sum(file.records for file in files):,} records in {len(files):,} files")
    return files


def _surveyed(path: str, models: CorpusModels) -> CorpusFile:
    with models.opened(path) as file:
        count, table = _count(file.records), file.table
        kind, names = (None, None) if table is None else (table.kind, table.names)
        return CorpusFile(path, count, file_digest(Path(path)), kind, names)


def _count(records: Iterator[object]) -> int:
    numbered = deque(enumerate(records, 1), maxlen=1)
    return numbered[0][0] if numbered else 0


def _require_alike(first: CorpusFile, other: CorpusFile) -> None:
    """Records of JSON may each have keys of their own; rows of tables may not."""
    if first.kind == other.kind and (other.kind == "jsonl" or first.columns == other.columns):
        return
    raise DataError(
        f"table must have the same columns as {first.path} ({_described(first)}); got "
        f"{_described(other)}",
        file=other.path,
    )


def _described(file: CorpusFile) -> str:
    names = file.columns or ()
    more = ", …" if len(names) > _SHOWN else ""
    return f"{file.kind}: {', '.join(names[:_SHOWN])}{more}"
