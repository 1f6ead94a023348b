"""How files with pairs are laid out: their format, what stands between columns, which is which.

Only the first lines are looked at. What was understood is said in a sentence each.
"""

from __future__ import annotations

import csv
import difflib
import itertools
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transduce.audio.reader import AudioReader
from transduce.automatic.looking.columns_meant import Meant, columns_meant
from transduce.automatic.looking.keyed_layouts import keyed_layout
from transduce.errors import ConfigError, DataError
from transduce.image.reader import ImageReader
from transduce.reading.column_names import is_header
from transduce.reading.formats import format_of, numbered_rows
from transduce.reading.problems import BadFileError, BadRecordError
from transduce.reading.records import csv_reader
from transduce.reading.streams import bare_suffix, open_stream, read_blocks

__all__ = ["Understood", "understand"]

_LOOKED_AT = 1000  # lines
_AGREEING = 0.95  # share of the lines that must have as many columns as most
_DELIMITERS = {"\t": "tabs", ";": "semicolons", "|": "bars", ",": "commas"}
_SUFFIXES = {"audio": AudioReader.suffixes, "image": ImageReader.suffixes}
_SHOWN = 60  # characters


@dataclass(frozen=True)
class Understood:
    """Dotted keys of the section ``data`` (``train`` not among them), and what to say of them."""

    data: dict[str, Any]
    lines: tuple[str, ...]
    files: Any  # what ``data.train`` is to be


def understand(paths: Sequence[str]) -> Understood:
    """Look at the files that are to be learnt from. Raises DataError, ConfigError."""
    for path in paths:
        _require_there(path)
    if len(paths) == 2 and (parallel := _parallel(paths)) is not None:
        return parallel
    first = Path(paths[0])
    files: Any = paths[0] if len(paths) == 1 else list(paths)
    if os.path.isdir(first):
        data, lines = _folder(first)
        return Understood(data, lines, files)
    kind = format_of(first)
    if kind in ("jsonl", "parquet"):
        keyed = keyed_layout(first, kind)
        data = {**keyed.data, **_input_of(keyed.sources)}
        return Understood(data, _said(keyed.lines, data), files)
    return _workbook(first, files) if kind == "xlsx" else _table(first, files)


def _said(lines: tuple[str, ...], data: dict[str, Any]) -> tuple[str, ...]:
    kind = data.get("input.kind")
    return lines if kind is None else (*lines, f"sources are files: {_FILES[kind]}")


_FILES = {"audio": "recordings", "image": "pictures"}


# ---------------------------------------------------------------- lines


def _table(path: Path, files: Any) -> Understood:
    lines = _first_lines(path)
    if not lines:
        raise DataError("file must hold at least one pair; got an empty file", file=path)
    delimiter = _delimiter(lines, path)
    if delimiter is None:
        shown = lines[0] if len(lines[0]) <= _SHOWN else f"{lines[0][:_SHOWN]}…"
        raise DataError(
            "line must have two columns, source and target, with a tab (or ; or , or |) between "
            f"them; got one: {shown!r}",
            file=path,
            line=1,
        )
    data: dict[str, Any] = {"format": "tsv"} if delimiter == "\t" else {"format": "csv"}
    if delimiter not in ("\t", ","):
        data["delimiter"] = delimiter
    how = f"columns with {_DELIMITERS[delimiter]} between them"
    return _columns(path, files, _rows(lines, delimiter), data, how)


def _workbook(path: Path, files: Any) -> Understood:
    from transduce.reading.tables.workbooks import sheet_name  # which loads openpyxl

    try:
        title, count = sheet_name(path)
        with numbered_rows(path, "xlsx") as found:
            good = (row for _, row in found if not isinstance(row, BadRecordError))
            rows = list(itertools.islice(good, _LOOKED_AT))
    except BadFileError as error:
        raise DataError(str(error), file=error.file, line=error.line) from None
    if not rows:
        raise DataError("file must hold at least one pair; got an empty sheet", file=path)
    if len(rows[0]) < 2:
        message = "sheet must have two columns, source and target; got one"
        raise DataError(message, file=path, line=1)
    of = f", the first of {count}" if count > 1 else ""
    return _columns(path, files, rows, {"format": "xlsx"}, f"columns in the sheet {title}{of}")


def _columns(
    path: Path, files: Any, rows: list[list[str]], data: dict[str, Any], how: str
) -> Understood:
    """What each column is."""
    width = Counter(map(len, rows)).most_common(1)[0][0]
    first, rows = rows[0], [row for row in rows if len(row) == width]
    header = len(first) == width and is_header(first, rows[1:])
    meant = columns_meant(rows[header:], first if header else None)
    said = [f"{path.name}: {width} {how}"]
    if header:
        data["header"] = True
        said.append(f"the first line names the columns: {', '.join(first)}")
    data |= {"source": meant.source, "target": meant.target}
    data |= _input_of(meant.sources)
    return Understood(
        data, _said((*said, *_said_of(meant, first if header else None)), data), files
    )


def _said_of(meant: Meant, names: Sequence[str] | None) -> tuple[str, ...]:
    """What each column is, where that does not go without saying."""
    if meant.source == 0 and meant.target == 1 and not meant.others:
        return ()
    return tuple(
        f"column {number + 1}{f' ({names[number]})' if names else ''} is {what}"
        for number, what in sorted(meant.roles.items())
    )


def _first_lines(path: Path) -> list[str]:
    found: list[str] = []
    try:
        with open_stream(path) as stream:
            for block in read_blocks(stream, str(path)):
                lines = (line for _, line in block.rows() if not isinstance(line, BadRecordError))
                found += (line for line in lines if line.strip())
                if len(found) >= _LOOKED_AT:
                    break
    except BadFileError as error:
        raise DataError(str(error), file=error.file, line=error.line) from None
    return found[:_LOOKED_AT]


def _rows(lines: Sequence[str], delimiter: str) -> list[list[str]]:
    if delimiter == "\t":
        return [line.split("\t") for line in lines]
    rows = []
    reader = csv_reader((f"{line}\n" for line in lines), delimiter)
    while True:
        try:
            rows.append(next(reader))
        except StopIteration:
            return rows
        except csv.Error:
            rows.append([])


def _delimiter(lines: Sequence[str], path: Path) -> str | None:
    """What cuts nearly all lines into the same number of columns, two at least."""
    order = list(_DELIMITERS)
    if bare_suffix(path) == ".csv":
        order = [";", "\t", ",", "|"]
    for delimiter in order:
        if not any(delimiter in line for line in lines[:2]):
            continue
        width, count = Counter(map(len, _rows(lines, delimiter))).most_common(1)[0]
        if width >= 2 and count >= _AGREEING * len(lines):
            return delimiter
    # columns of different number, one line with a fault among few: a tab is a tab
    if sum("\t" in line for line in lines) * 2 > len(lines):
        return "\t"
    return "," if bare_suffix(path) == ".csv" and "," in lines[0] else None


def _input_of(sources: Sequence[str]) -> dict[str, Any]:
    """``data.input`` where the sources are names of recordings or pictures."""
    for kind, suffixes in _SUFFIXES.items():
        if sources and all(source.strip().lower().endswith(suffixes) for source in sources):
            return {"input.kind": kind}
    return {}


# ---------------------------------------------------------------- folders, two files


def _folder(folder: Path) -> tuple[dict[str, Any], tuple[str, ...]]:
    if (folder / "config.yaml").is_file():
        raise ConfigError(
            f"data must be files with pairs; got {folder}, a model (to go on from it: "
            f"model.from={folder})"
        )
    if (folder / "state.json").is_file() or any(folder.glob("*.arrow")):
        return {"format": "datasets"}, (f"{folder}: a data set written by datasets",)
    names = Counter(path.suffix.lower() for path in folder.rglob("*"))
    counts = {kind: sum(names[s] for s in suffixes) for kind, suffixes in _SUFFIXES.items()}
    kind = max(counts, key=lambda name: counts[name])
    if not counts[kind]:
        raise DataError(
            "folder must hold recordings or pictures, each with a .txt file of its name beside "
            "it; got neither",
            file=folder,
        )
    said = f"{folder}: {counts[kind]:,} {_FILES[kind]}, each with its text beside it"
    return {"input.kind": kind}, (said,)


def _parallel(paths: Sequence[str]) -> Understood | None:
    """Two files of as many lines, none of which has columns: one is the source of the other."""
    if any(os.path.isdir(path) or format_of(Path(path)) for path in paths):
        return None
    sides = [_first_lines(Path(path)) for path in paths]
    if not all(sides) or len(sides[0]) != len(sides[1]):
        return None
    if any("\t" in line for line in itertools.chain(*sides)):
        return None
    files = {"source": paths[0], "target": paths[1]}
    said = f"line n of {paths[0]} is the source of line n of {paths[1]}"
    return Understood({"format": "lines"}, (said,), files)


def _require_there(path: str) -> None:
    if os.path.exists(path):
        return
    folder = os.path.dirname(path) or "."
    try:
        names = os.listdir(folder)
    except OSError:
        names = []
    near = difflib.get_close_matches(os.path.basename(path), names, n=1)
    hint = f", did you mean {os.path.join(os.path.dirname(path), near[0])}?" if near else ""
    raise DataError(f"file must exist; got no such file{hint}", file=path)
