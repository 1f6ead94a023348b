"""Which columns or keys of a record make the source and which the target."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from operator import itemgetter
from typing import TYPE_CHECKING

from transduce.errors import ConfigError
from transduce.reading.problems import BadRecordError
from transduce.tokenization.tags import TAG_CLOSE, TAG_OPEN, find_tags, tag_symbol

if TYPE_CHECKING:  # whose library takes its time to load
    from transduce.config import DataConfig, TagColumn

__all__ = [
    "Layout",
    "SourceColumn",
    "columns_message",
    "join_columns",
    "layout_of",
    "split_columns",
]

Row = Sequence[str | Sequence[str]]

_TAGS = f"((?:{TAG_OPEN}[^{TAG_OPEN}{TAG_CLOSE}]+{TAG_CLOSE})*)"
_KEPT = 1000  # characters of tags that are remembered as symbols: most rows have the same few


@dataclass(frozen=True, slots=True)
class SourceColumn:
    """A column of the source: its number (from 0) or name, and whether it holds tags.

    A column of tags is split at each of its separators; without any it is one tag.
    """

    key: int | str
    tags: bool = False
    separators: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Layout:
    """The columns of a source, in order, and the column of the target."""

    sources: tuple[SourceColumn, ...]
    target: int | str

    @property
    def is_plain(self) -> bool:
        """Whether the source is one column of text, used as it stands."""
        return len(self.sources) == 1 and not self.sources[0].tags

    def numbered(self, header: Sequence[str] | None) -> Layout:
        """Names become the numbers of columns.

        Raises ConfigError where there is no header and BadRecordError where the
        header has no such name.
        """

        def number(key: int | str, option: str) -> int:
            if isinstance(key, int):
                if key < 0:
                    raise ConfigError(f"data.{option} must be a column from 0 on; got {key}")
                return key
            if header is None:
                raise ConfigError(
                    f"data.{option} must be a column number where data.header is false; got {key!r}"
                )
            if key not in header:
                message = f"header must name the column {key!r}; got {', '.join(header)}"
                raise BadRecordError("missing column", message)
            if list(header).count(key) > 1:
                message = f"header must name the column {key!r} once; got {', '.join(header)}"
                raise BadRecordError("repeated column", message)
            return list(header).index(key)

        sources = [replace(column, key=number(column.key, "source")) for column in self.sources]
        return Layout(tuple(sources), number(self.target, "target"))

    def keyed(self, kind: str) -> Layout:
        """Every column by name; the default numbers become ``source`` and ``target``.

        Raises ConfigError where another number is asked for.
        """
        if self.is_plain and self.sources[0].key == 0:
            sources: tuple[SourceColumn, ...] = (SourceColumn("source"),)
        else:
            sources = self.sources
        target = "target" if self.target == 1 else self.target
        named = [("source", column.key) for column in sources] + [("target", target)]
        for option, key in named:
            if isinstance(key, int):
                raise ConfigError(f"data.{option} must be a name in {kind} data; got {key}")
        return Layout(sources, target)

    def source_keys(self) -> list[tuple[str, bool]]:
        """For keyed formats: the names of the source's columns and whether they hold tags."""
        return [(str(column.key), column.tags) for column in self.sources]

    def in_order(self) -> Layout:
        """The layout of rows that hold just the source's columns in order, then the target."""
        columns = [replace(column, key=number) for number, column in enumerate(self.sources)]
        return Layout(tuple(columns), len(columns))

    def picker(self) -> tuple[Callable[[Row], str], int, int]:
        """For rows by number: what makes the source, the target's number, columns needed."""
        target = self.target
        numbers = [column.key for column in self.sources if isinstance(column.key, int)]
        if not isinstance(target, int) or len(numbers) < len(self.sources):
            raise TypeError("picker needs a numbered layout")
        needed = max(target, *numbers) + 1
        if self.is_plain:
            return itemgetter(numbers[0]), target, needed
        columns = self.sources

        def pick(row: Row) -> str:
            return join_columns([row[n] for n in numbers], columns)

        return pick, target, needed


def layout_of(config: DataConfig) -> Layout:
    """The columns that a recipe asks for; raises ConfigError for an empty separator."""
    from transduce.config import TagColumn

    listed = config.source if isinstance(config.source, list) else [config.source]
    columns = [
        SourceColumn(column.tags, True, _separators(column))
        if isinstance(column, TagColumn)
        else SourceColumn(column)
        for column in listed
    ]
    if any("" in column.separators for column in columns):
        raise ConfigError("data.source separator must be at least one character; got none")
    return Layout(tuple(columns), config.target)


def _separators(column: TagColumn) -> tuple[str, ...]:
    if column.separator is None:
        return ()
    return tuple([column.separator] if isinstance(column.separator, str) else column.separator)


def join_columns(values: Row, columns: Sequence[SourceColumn]) -> str:
    """One string from the columns of a source, in order.

    Text columns stand with a tab between them; each tag stands as ``⟪TAG⟫``
    with nothing around it. Gives "" where all text columns are blank. Raises
    BadRecordError where a tag holds a bracket.
    """
    pieces: list[str] = []
    has_text = all(column.tags for column in columns)
    after_text = False
    for value, column in zip(values, columns, strict=True):
        if column.tags:
            joined = (
                _tag_symbols(value, column.separators)
                if isinstance(value, str)
                else "".join(_tag_symbols(tag, ()) for tag in value)
            )
            pieces.append(joined)
            continue
        if not isinstance(value, str):
            raise TypeError("text column must hold text")
        has_text = has_text or bool(value.strip())
        pieces.append(f"\t{value}" if after_text else value)
        after_text = True
    return "".join(pieces) if has_text else ""


def split_columns(source: str, columns: Sequence[SourceColumn]) -> list[str | list[str]] | None:
    """Columns that :func:`join_columns` makes this source of: a text, or a list of tags, for each.

    Where several would do (tags of two columns side by side, a tab inside a text) they are some
    of these. None where there are none.
    """
    pattern, after_text = [], False
    for column in columns:
        tab = "\t" if after_text and not column.tags else ""
        pattern.append(_TAGS if column.tags else f"{tab}(.*?)")
        after_text = after_text or not column.tags
    found = re.fullmatch("".join(pattern), source, re.DOTALL)
    if found is None:
        return None
    return [
        [tag[1:-1] for tag in find_tags(text)] if column.tags else text
        for text, column in zip(found.groups(), columns, strict=True)
    ]


def _tag_symbols(value: str, separators: tuple[str, ...]) -> str:
    return (_known_symbols if len(value) <= _KEPT else _new_symbols)(value, separators)


def _new_symbols(value: str, separators: tuple[str, ...]) -> str:
    tags = re.split("|".join(map(re.escape, separators)), value) if separators else [value]
    try:
        return "".join(tag_symbol(tag) for tag in map(str.strip, tags) if tag)
    except ValueError as error:
        raise BadRecordError("bad tag", str(error)) from None


_known_symbols = lru_cache(maxsize=1 << 16)(_new_symbols)


def columns_message(fields: Sequence[str], expected: str) -> str:
    """What to say of a row with the wrong number of columns."""
    empty = not fields or list(fields) == [""]
    got = "an empty line" if empty else str(len(fields))
    return f"line must have {expected}; got {got}"
