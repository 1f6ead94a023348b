"""Readers of pairs for training and scoring, always streaming.

Formats: TSV (no quoting), CSV (RFC 4180), JSON lines, Parquet, Excel's
workbooks, two parallel plain files, a folder written by Hugging Face
``datasets``. Text files may be packed (``.gz``, ``.zst``). With ``format:
auto`` the suffix decides: ``.tsv``, ``.csv``, ``.jsonl``, ``.parquet``,
``.xlsx``, a folder, a ``{source:, target:}`` pair of files; a file with
another suffix must be TSV. Where sources are files, a folder holds these, each
beside a ``.txt`` file of its name.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any, NamedTuple

from transduce.config import DataConfig, Files, ParallelFiles
from transduce.errors import ConfigError, DataError
from transduce.reading.columns import Layout, SourceColumn, layout_of
from transduce.reading.formats import format_of, keyed_rows, numbered_rows
from transduce.reading.frames import (
    FileCheck,
    FrameReader,
    file_check,
    files_in,
    frame_reader,
    what_is_wrong,
)
from transduce.reading.problems import BadFileError, BadRecordError, Problems, noted
from transduce.reading.records import same_width
from transduce.reading.sources import read_sources
from transduce.reading.streams import LONGEST_LINE, Block, Stream, open_stream, read_blocks
from transduce.untrusted.opening import open_regular

__all__ = ["Example", "Pair", "Problems", "group_examples", "read_pairs", "read_sources"]


class Pair(NamedTuple):
    """One source with one target, and where it stands (``line`` from 1; a row of a table)."""

    # A named tuple, because it is made several times as fast as a frozen dataclass.
    source: str
    target: str | None
    file: str
    line: int


@dataclass(frozen=True, slots=True)
class Example:
    """A source with all its targets, any of which counts as right."""

    source: str
    references: tuple[str, ...]


def group_examples(pairs: Iterable[Pair]) -> list[Example]:
    """Gather the targets of equal sources; first occurrences give the order, repeats go."""
    references: dict[str, dict[str, None]] = {}
    for pair in pairs:
        targets = references.setdefault(pair.source, {})
        if pair.target is not None:
            targets[pair.target] = None
    return [Example(source, tuple(targets)) for source, targets in references.items()]


# ---------------------------------------------------------------- pairs


def read_pairs(files: Files, config: DataConfig, problems: Problems) -> Iterator[Pair]:
    """Stream the pairs of one file or several, in order, in flat memory.

    Sources that are files (``data.input``) stand as paths, relative ones as seen from the folder
    of their manifest; each file's header is read. What cannot be used goes to ``problems``,
    which raises DataError or counts it. Raises DataError where not a single pair could be read
    and ConfigError where the columns asked for do not fit the format.
    """
    pairs = _all_pairs(files, config, problems)
    check = file_check(config)
    return pairs if check is None else _readable(pairs, check, problems)


def _all_pairs(files: Files, config: DataConfig, problems: Problems) -> Iterator[Pair]:
    listed = files if isinstance(files, list) else [files]
    if not listed:
        raise ConfigError("data files must be at least one; got an empty list")
    found = False
    for item in listed:
        before = problems.total
        try:
            pairs = _pairs_of(item, config, problems)
            first = next(pairs, None)
            if first is not None:
                found = True
                yield first
                yield from pairs
            elif problems.total == before:
                message = "file must hold at least one pair; got an empty file"
                problems.add("empty file", message, _name(item))
        except BadFileError as error:
            problems.add_file(error)
    if not found:
        message = f"file must hold at least one pair; got none that is good, {problems.summary()}"
        raise DataError(message, file=_name(listed[0]))


def _pairs_of(item: Path | ParallelFiles, config: DataConfig, problems: Problems) -> Iterator[Pair]:
    layout = layout_of(config)
    if isinstance(item, ParallelFiles):
        if config.format not in ("auto", "lines"):
            raise ConfigError(
                f"data.format must be lines for a source and a target file; got {config.format}"
            )
        return _parallel_pairs(item, problems)
    kind = format_of(item) if config.format == "auto" else config.format
    reader = frame_reader(config)
    is_folder = config.format == "auto" and os.path.isdir(item)
    if reader is not None and config.beside is None and is_folder:
        return _folder_pairs(item, reader, problems)
    match kind:
        case "jsonl" | "parquet" | "datasets":
            return _keyed_pairs(item, kind, layout.keyed(kind), problems)
        case "lines":
            raise ConfigError(
                "data files must be {source: FILE, target: FILE} where data.format is lines; "
                f"got {item}"
            )
        case "tsv" | "csv" | "xlsx" | None:
            if kind is None and config.delimiter is not None:
                kind = "csv"
            return _delimited_pairs(item, kind, layout, config, problems)


def _delimited_pairs(
    path: Path, kind: str | None, layout: Layout, config: DataConfig, problems: Problems
) -> Iterator[Pair]:
    name, header = str(path), config.header
    if not header:
        layout = layout.numbered(None)
    with numbered_rows(path, kind, config.delimiter) as rows:
        width = None
        if header:
            layout, width = _read_header(noted(rows, name, problems), layout, name)
        _, _, needed = layout.picker()
        checked = noted(same_width(rows, needed, width), name, problems)
        yield from _usable(checked, layout, name, problems)


def _read_header(
    rows: Iterator[tuple[int, list[str]]], layout: Layout, name: str
) -> tuple[Layout, int | None]:
    number, header = next(rows, (0, []))
    if not number:
        return Layout((SourceColumn(0),), 0), None  # an empty file: the caller says so
    try:
        layout = layout.numbered(header)
    except BadRecordError as error:
        raise BadFileError(error.reason, str(error), name, number) from None
    needed = layout.picker()[2]
    if len(header) < needed:
        message = f"header must name at least {needed} columns; got {len(header)}"
        raise BadFileError("missing column", message, name, number)
    return layout, len(header)


def _keyed_pairs(path: Path, kind: str, layout: Layout, problems: Problems) -> Iterator[Pair]:
    keys = [*layout.source_keys(), (str(layout.target), False)]
    with keyed_rows(path, kind, keys) as rows:
        good = noted(rows, path, problems)
        yield from _usable(good, layout.in_order(), str(path), problems)


def _usable(
    rows: Iterable[tuple[int, Any]], layout: Layout, name: str, problems: Problems
) -> Iterator[Pair]:
    """Make pairs of rows; note those with an empty source or target or a bad tag."""
    pick, target_number, _ = layout.picker()
    for number, row in rows:
        try:
            source = pick(row)
        except BadRecordError as error:
            problems.add(error.reason, str(error), name, number)
            continue
        target = row[target_number]
        if not source or source.isspace():
            problems.add("empty source", "source must be text; got nothing", name, number)
        elif not target or target.isspace():
            problems.add("empty target", "target must be text; got nothing", name, number)
        else:
            yield Pair(source, target, name, number)


def _parallel_pairs(files: ParallelFiles, problems: Problems) -> Iterator[Pair]:
    names = str(files.source), str(files.target)
    with open_stream(files.source) as left, open_stream(files.target) as right:
        sources = _lines(left, names[0])
        targets = _lines(right, names[1])
        number = 0
        for number, (source, target) in enumerate(zip_longest(sources, targets, fillvalue=_END), 1):
            for side, line in zip(names, (source, target), strict=True):
                if isinstance(line, BadRecordError):
                    problems.add(line.reason, str(line), side, number)
            if isinstance(source, BadRecordError) or isinstance(target, BadRecordError):
                continue
            if isinstance(source, _Ended) or isinstance(target, _Ended):
                short, long = (0, 1) if source is _END else (1, 0)
                surplus = 1 + sum(1 for _ in (sources, targets)[long])
                message = (
                    f"file must have as many lines as {names[short]} ({number - 1:,}); "
                    f"got {number - 1 + surplus:,}"
                )
                reason = "parallel files of different length"
                problems.add(reason, message, names[long], number, count=surplus)
                return
            if not source or source.isspace():
                problems.add("empty source", "source must be text; got nothing", names[0], number)
            elif not target or target.isspace():
                problems.add("empty target", "target must be text; got nothing", names[1], number)
            else:
                yield Pair(source, target, names[0], number)


def _readable(pairs: Iterable[Pair], check: FileCheck, problems: Problems) -> Iterator[Pair]:
    """Pairs with their sources' paths made whole; those that cannot be opened are noted."""
    for pair in pairs:
        try:
            source = check.located(pair.source, Path(pair.file).parent)
            check.length(source)
        except DataError as error:
            problems.add("unreadable source", what_is_wrong(error), pair.file, pair.line)
            continue
        yield pair._replace(source=source)


def _folder_pairs(folder: Path, reader: FrameReader, problems: Problems) -> Iterator[Pair]:
    """Each recording (or picture) of a folder with the text file of its name beside it."""
    found = list(files_in(folder, reader))
    if not found:
        message = f"folder must hold files named {', '.join(reader.suffixes)}; got none"
        raise BadFileError("no such files", message, folder)
    for path in found:
        beside = path.with_suffix(".txt")
        try:
            text = _text_in(beside)
        except (OSError, ValueError):
            message = (
                f"{path.name} must have a text in UTF-8 beside it, of at most {LONGEST_LINE:,} "
                "bytes; got none"
            )
            problems.add("missing text", message, beside)
            continue
        if text:
            yield Pair(path.name, text, str(beside), 1)
        else:
            problems.add("empty target", "target must be text; got nothing", beside)


def _text_in(path: Path) -> str:
    """All of a small file in one line. Raises OSError, ValueError."""
    with open_regular(path) as file:
        data = file.read(LONGEST_LINE + 1)
    if len(data) > LONGEST_LINE:
        raise ValueError("too long")
    return " ".join(data.decode("utf-8-sig").split())


class _Ended:
    """Stands for the lines after the end of the shorter file."""


_END = _Ended()


def _lines(stream: Stream, name: str) -> Iterator[str | BadRecordError]:
    """All lines in order, or what is wrong with them."""
    return chain.from_iterable(map(_with_problems, read_blocks(stream, name)))


def _with_problems(block: Block) -> Iterable[str | BadRecordError]:
    return (line for _, line in block.rows()) if block.bad else block.lines


def _name(item: Path | ParallelFiles) -> str:
    return str(item.source if isinstance(item, ParallelFiles) else item)
