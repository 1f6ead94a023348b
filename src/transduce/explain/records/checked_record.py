"""Values of a file that nobody vouches for, taken out one by one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from transduce.errors import DataError
from transduce.untrusted.json import parse_json

__all__ = ["Record"]

T = TypeVar("T")


@dataclass(frozen=True)
class Record:
    """The keys and values of one JSON object; each method raises DataError naming the key."""

    values: Mapping[str, Any]
    name: str | Path

    @classmethod
    def parsed(cls, text: str, name: str | Path, version: int) -> Record:
        """Of a text that is an explanation of this version."""
        try:
            values = parse_json(text)
        except ValueError as error:
            raise DataError(f"explanation must be valid JSON; {error}", file=name) from None
        record = cls.of(values, name)
        if values.get("transduce") != "explanation" or values.get("version") != version:
            raise DataError(f"file must be an explanation of version {version}", file=name)
        return record

    @classmethod
    def of(cls, values: object, name: str | Path) -> Record:
        """Of what should be an object."""
        if not isinstance(values, dict):
            raise DataError("explanation must be a JSON object; got another", file=name)
        return cls(values, name)

    def of_type(self, key: str, kind: type[T]) -> T:
        """The value, which must be of this type."""
        value = self.values.get(key)
        if type(value) is not kind:
            got = "nothing" if key not in self.values else repr(value)[:40]
            raise DataError(f"{key} must be a {kind.__name__}; got {got}", file=self.name)
        return value

    def one_of(self, key: str, known: Sequence[str]) -> str:
        """One of these texts."""
        value = self.of_type(key, str)
        if value not in known:
            raise DataError(f"{key} must be {' or '.join(known)}; got {value!r}", file=self.name)
        return value

    def optional_text(self, key: str) -> str | None:
        """A text, or nothing."""
        return None if self.values.get(key) is None else self.of_type(key, str)

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts."""
        found = self.of_type(key, list)
        if not all(type(text) is str for text in found):
            raise DataError(f"{key} must be a list of texts; got others", file=self.name)
        return tuple(found)

    def number(self, key: str) -> float:
        """A finite number."""
        value = self.values.get(key)
        if not _is_number(value):
            raise DataError(f"{key} must be a number; got {value!r:.40}", file=self.name)
        return float(value)  # type: ignore[arg-type]

    def numbers(self, key: str, count: int | None) -> tuple[float, ...]:
        """A list of finite numbers, ``count`` of them."""
        found = self.of_type(key, list)
        if not all(map(_is_number, found)) or (count is not None and len(found) != count):
            many = "" if count is None else f"{count:,} "
            raise DataError(f"{key} must be a list of {many}numbers; got another", file=self.name)
        return tuple(map(float, found))

    def figures(self, key: str) -> dict[str, float]:
        """Numbers by name."""
        found = self.of_type(key, dict)
        if not all(map(_is_number, found.values())):
            raise DataError(f"{key} must hold numbers; got others", file=self.name)
        return {name: float(value) for name, value in found.items()}

    def matrix(self, key: str, rows: int, columns: int) -> NDArray[np.float64]:
        """Numbers ``[rows, columns]``."""
        found = self.of_type(key, list)
        fits = len(found) == rows and all(
            type(row) is list and len(row) == columns and all(map(_is_number, row)) for row in found
        )
        if not fits:
            raise DataError(
                f"{key} must be numbers [{rows}, {columns}]; got others", file=self.name
            )
        return np.asarray(found, dtype=np.float64).reshape(rows, columns)

    def optional_matrix(self, key: str, rows: int, columns: int) -> NDArray[np.float64] | None:
        """Numbers ``[rows, columns]``, or nothing."""
        return None if self.values.get(key) is None else self.matrix(key, rows, columns)


def _is_number(value: object) -> bool:
    return type(value) in (int, float) and math.isfinite(value)  # type: ignore[arg-type]
