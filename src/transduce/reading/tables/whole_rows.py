"""A row of a table as it was read, to be written again: cells in order, or values by name."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, time
from typing import Any, Protocol

__all__ = ["RecordRow", "TableRow", "TextRow"]


class TableRow(Protocol):
    """A row as it was read; ``record`` has its values by name, where they have names."""

    @property
    def record(self) -> Mapping[str, Any]:
        """Empty where the row could not be read."""
        ...

    @property
    def too_long(self) -> bool:
        """Whether it has more cells than the table has columns."""
        ...

    def cells(self, names: Sequence[str] | None) -> list[str]:
        """As texts in the order of ``names``, with those that are too many behind them."""
        ...

    def json(self, added: Mapping[str, object]) -> str:
        """As a line of JSON with more keys at its end."""
        ...


@dataclass(frozen=True)
class TextRow:
    """Of CSV, TSV or a workbook; ``width`` is that of the table."""

    texts: Sequence[str]
    names: Sequence[str] | None
    width: int

    @property
    def record(self) -> Mapping[str, Any]:
        """By the names of a header; by numbers from 0 where there is none."""
        names = self.names or [str(number) for number in range(self.width)]
        return dict(zip(names, self.cells(None), strict=False))

    @property
    def too_long(self) -> bool:
        """Whether it has more cells than the table has columns."""
        return len(self.texts) > self.width

    def cells(self, names: Sequence[str] | None) -> list[str]:
        """All of them, filled up to the width of the table."""
        return [*self.texts, *[""] * (self.width - len(self.texts))]

    def json(self, added: Mapping[str, object]) -> str:
        """Every value is text. A row that could not be read has no others than ``added``."""
        return json.dumps({**(self.record if self.texts else {}), **added}, ensure_ascii=False)


@dataclass(frozen=True)
class RecordRow:
    """Of JSON lines (``line`` as it was) or of Parquet."""

    record: Mapping[str, Any]
    line: str | None = None
    too_long: bool = False

    def cells(self, names: Sequence[str] | None) -> list[str]:
        """Texts as they are, other values as JSON writes them, nothing for null."""
        return [_cell(self.record.get(name)) for name in names or ()]

    def json(self, added: Mapping[str, object]) -> str:
        """The line that it was, to the letter, with more before its last bracket."""
        if self.line is None:
            record = {key: _plain(value) for key, value in self.record.items()}
            return json.dumps({**record, **added}, ensure_ascii=False)
        inside = self.line.rstrip()[:-1].rstrip()
        more = json.dumps(dict(added), ensure_ascii=False)[1:]
        return f"{inside}{', ' if self.record else ''}{more}"


def _cell(value: Any) -> str:
    value = _plain(value)
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _plain(value: Any) -> Any:
    """What JSON has: dates in ISO's form, bytes as hexadecimal digits, no NaN."""
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else None
        case dict():
            return {str(key): _plain(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_plain(inner) for inner in value]
        case date() | time():  # a datetime is a date, too
            return value.isoformat()
        case bytes():
            return value.hex()
        case _:
            return str(value)
