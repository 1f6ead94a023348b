"""The vocabulary files beside a CTranslate2 model, and its symbols in the order of our numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from transduce.errors import ModelError
from transduce.untrusted.bounded import read_text
from transduce.untrusted.json import LARGEST, read_json, read_object
from transduce.untrusted.tokenizer_json import MOST_SYMBOLS

__all__ = ["ConvertedNumbering", "read_config", "read_symbols"]

CONFIG = "config.json"
_LONGEST = 4096
_EXTRA = re.compile(r"<extra_id_[0-9]+>")
_PADDINGS = ("<pad>", "<blank>", "[PAD]")


@dataclass(frozen=True)
class ConvertedNumbering:
    """Where each of our rows stands in a table of theirs: pad, unk, start, end, then the rest.

    None is a row that theirs has not. ``symbols`` are those of the rest, ``size`` counts theirs.
    """

    rows: tuple[int | None, ...]
    symbols: tuple[str, ...]
    size: int
    padding: str | None = None  # the name of theirs

    @classmethod
    def of(
        cls, symbols: Sequence[str], *, unknown: str | None, start: str | None, end: str
    ) -> ConvertedNumbering:
        """The numbering of a vocabulary whose special symbols have these names.

        Start and end may be the same symbol. Raises ModelError where the end is not in it.
        """
        places = {symbol: place for place, symbol in enumerate(symbols)}
        if end not in places:
            raise ModelError(f"vocabulary must hold the end {end!r}; it has no such symbol")
        padding = next((name for name in _PADDINGS if name in places), None)
        names = (padding, unknown, start, end)
        special = [None if name is None else places.get(name) for name in names]
        if special[1] in (special[0], *special[2:]):
            special[1] = None  # the end stands in for it
        rest = [place for place in range(len(symbols)) if place not in special]
        return cls(
            (*special, *rest), tuple(symbols[place] for place in rest), len(symbols), padding
        )

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def is_theirs(self) -> bool:
        """Whether the order is theirs already."""
        return self.rows == tuple(range(len(self.rows)))

    @property
    def absent(self) -> list[int]:
        """Numbers that no symbol of theirs stands behind, and second ones of the same symbol."""
        last = {row: number for number, row in enumerate(self.rows)}
        return [n for n, row in enumerate(self.rows) if row is None or last[row] != n]

    def reorder(self, table: Tensor) -> Tensor:
        """Rows of theirs in our order; zeros where theirs has none.

        Raises ModelError where the table has not as many rows as they have symbols.
        """
        if len(table) != self.size:
            raise ModelError(
                f"embeddings must have {self.size} rows, as the vocabulary has; got {len(table)}"
            )
        if self.is_theirs:
            return table
        kept = torch.tensor([0 if row is None else row for row in self.rows])
        ours = table[kept]
        ours[[number for number, row in enumerate(self.rows) if row is None]] = 0
        return ours


def read_symbols(folder: Path, *names: str) -> list[str]:
    """The symbols of the first of these vocabularies that is there, as JSON or a line each.

    Raises ModelError.
    """
    for name in names:
        for path in (folder / f"{name}.json", folder / f"{name}.txt"):
            if path.is_file():
                return _read(path)
    raise ModelError(f"{folder}: model must have a vocabulary; it has no {names[0]}.json or .txt")


def read_config(folder: Path) -> Mapping[str, Any]:
    """What ``config.json`` says; nothing where there is none. Raises ModelError."""
    path = folder / CONFIG
    return read_object(path) if path.exists() else {}


def _read(path: Path) -> list[str]:
    if path.suffix == ".json":
        symbols = read_json(path)
    else:
        try:
            text = read_text(path, LARGEST)
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is no UTF-8"
            raise ModelError(f"{path}: vocabulary must be readable; {reason}") from None
        lines = text.removesuffix("\n").split("\n")
        ended = all(line.endswith("\r") for line in lines)  # else it is a symbol of its own
        symbols = [line.removesuffix("\r") for line in lines] if ended else lines
    if not isinstance(symbols, list) or not all(isinstance(symbol, str) for symbol in symbols):
        raise ModelError(f"{path}: vocabulary must be a list of texts")
    if len(symbols) > MOST_SYMBOLS or max(map(len, symbols), default=0) > _LONGEST:
        raise ModelError(
            f"{path}: vocabulary must have {MOST_SYMBOLS:,} symbols at most, of {_LONGEST} "
            "characters at most"
        )
    symbols = _told_apart(symbols)
    if len(set(symbols)) < len(symbols):
        raise ModelError(f"{path}: vocabulary must have each symbol once")
    return symbols


def _told_apart(symbols: list[str]) -> list[str]:
    """T5 has more rows than symbols, and the converter gives those behind them names that there
    are already: here they are called by their place.
    """
    seen: set[str] = set()
    names: list[str] = []
    for place, symbol in enumerate(symbols):
        repeated = symbol in seen and _EXTRA.fullmatch(symbol) is not None
        seen.add(symbol)
        names.append(f"<row_{place}>" if repeated else symbol)
    return names
