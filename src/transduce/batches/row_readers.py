"""What reads the sources of a corpus anew, batch by batch: frames, texts, or two of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Protocol, TypeVar

from transduce.interfaces import Frames, JoinedRow, Source
from transduce.reading.frames import FrameReader, FrameSource, inputs_of
from transduce.tokenization.joint import Coder

__all__ = ["FrameRows", "JoinedRows", "RowReader", "TextRows"]

Row = TypeVar("Row")


class RowReader(Protocol[Row]):
    """One kind of source. What stands in a corpus is a string; a person may give other things."""

    def length(self, source: str) -> int:
        """Tokens (END counted) or frames. Raises DataError."""
        ...

    def read(self, source: FrameSource) -> Row:
        """What the model reads of it. Raises DataError."""
        ...

    def augmented(self, source: str, seed: int, epoch: int, index: int) -> Row:
        """The same, changed as the config says; all of it follows from the three numbers."""
        ...

    def padded(self, rows: Sequence[Row]) -> Source:
        """Rows as a batch; there may be none."""
        ...


class FrameRows:
    """Recordings or pictures."""

    def __init__(self, reader: FrameReader) -> None:
        self._reader = reader
        self.length = reader.length
        self.read = reader.read
        self.augmented = reader.augmented

    def padded(self, rows: Sequence[Frames]) -> Source:
        """No rows give frames ``[0, 1, F]``."""
        return Source.of_frames(rows, self._reader.features)


class TextRows:
    """Texts, whose tokens are few beside the files that are read with them."""

    def __init__(self, coder: Coder) -> None:
        self._coder = coder
        self.padded = Source.of_tokens

    def length(self, source: str) -> int:
        """Tokens and END."""
        return len(self._coder.encode(source)) + 1

    def read(self, source: FrameSource) -> list[int]:
        """Its tokens without END."""
        return self._coder.encode(str(source))

    def augmented(self, source: str, seed: int, epoch: int, index: int) -> list[int]:
        """The same: a text is not changed."""
        return self.read(source)


class JoinedRows:
    """Sources with two inputs, each by its own reader."""

    def __init__(self, first: RowReader[Any], second: RowReader[Any]) -> None:
        self._first = first
        self._second = second

    def length(self, source: str) -> int:
        """Of both together."""
        first, second = inputs_of(source)
        return self._first.length(first) + self._second.length(second)

    def read(self, source: FrameSource) -> JoinedRow:
        """Both."""
        first, second = inputs_of(source)
        return JoinedRow(self._first.read(first), self._second.read(second))

    def augmented(self, source: str, seed: int, epoch: int, index: int) -> JoinedRow:
        """Both, each changed as its own options say."""
        first, second = inputs_of(source)
        chance = seed, epoch, index
        return JoinedRow(
            self._first.augmented(first, *chance), self._second.augmented(second, *chance)
        )

    def padded(self, rows: Sequence[JoinedRow]) -> Source:
        """The second inputs stand beside the first."""
        first = self._first.padded([row.first for row in rows])
        return replace(first, beside=self._second.padded([row.second for row in rows]))
