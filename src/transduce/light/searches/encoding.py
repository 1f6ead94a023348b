"""A noted encoder, and what a decoder reads of a memory at every step, run on NumPy's arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transduce.errors import ModelError
from transduce.kernels.running.held_array import HeldArray
from transduce.kernels.running.position_tables import KINDS, position_tables, table_room
from transduce.kernels.running.runner import Extent, Runner
from transduce.light.notes.noted_numbers import count_of, size_of

__all__ = ["EncodedBatch", "NotedEncoder", "NotedMemory", "NotedPositions", "Tables", "empty"]

Tables = dict[str, HeldArray]

_POSITIONS = 16  # kPositions of the kernels, which read so many keys at once


def empty(*shape: int) -> HeldArray:
    """Float32 that a run fills."""
    return HeldArray(np.empty(shape, np.float32))


@dataclass(frozen=True)
class EncodedBatch:
    """``vectors`` ``[B, S, D]``, ``lengths`` int64 ``[B]``, ``summary`` ``[B, L, D]``."""

    vectors: HeldArray
    lengths: HeldArray
    summary: HeldArray


class NotedPositions:
    """The tables that tell a stack where its tokens stand."""

    def __init__(
        self, noted: Mapping[str, Any], numbers: Callable[[Any], HeldArray | None], width: int
    ) -> None:
        """``numbers`` gives a learned table. Raises ModelError where that does not fit."""
        self._kind, self._learned = noted["kind"], None
        self.known: int | None = None
        self._tables: tuple[int, Tables] = (0, {})
        if self._kind == "learned":
            self._learned = numbers(str(noted["weight"]))
            shape = () if self._learned is None else self._learned.shape
            if len(shape) != 2 or shape[1] != width:
                raise ModelError(f"positions must be of width {width}; got {list(shape)}")
            self.known = shape[0]
        elif self._kind not in KINDS:
            raise ModelError(f"positions must be of a known kind; got {self._kind!r}")

    def tables(self, count: int, width: int, head_width: int) -> Tables:
        """As many positions or more. Raises ModelError where learned ones end before."""
        if self._learned is not None:
            if count > len(self._learned):
                raise ModelError(
                    f"sequence must be at most {len(self._learned)} tokens long (max_positions of "
                    f"its learned positions); got {count}"
                )
            return {"positions": self._learned}
        if self._tables[0] < count:
            room = table_room(count)
            made = position_tables(self._kind, room, width, head_width)
            self._tables = room, {name: HeldArray(table) for name, table in made.items()}
        return self._tables[1]


class NotedEncoder:
    """Tokens to vectors."""

    def __init__(
        self,
        noted: Mapping[str, Any],
        programs: Sequence[Runner],
        numbers: Callable[[Any], HeldArray | None],
    ) -> None:
        self._runner = programs[count_of(noted["program"])]
        self._width = size_of(noted["width"])
        self._layers, self._head_width = 1, 0
        self._together = noted["kind"] == "recurrent"
        self._positions: NotedPositions | None = None
        if noted["kind"] == "transformer":
            self._head_width = count_of(noted["head_width"])
            self._positions = NotedPositions(noted["positions"], numbers, self._width)
        elif noted["kind"] == "recurrent":
            self._layers = size_of(noted["layers"])
        elif noted["kind"] != "linear-recurrent":
            raise ModelError(f"encoder must be of a known kind; got {noted['kind']!r}")

    def __call__(self, tokens: NDArray[np.int64], lengths: NDArray[np.int64]) -> EncodedBatch:
        """Int64 ``[B, S]``, of which the first ``lengths`` of each row are real."""
        B, S = tokens.shape
        encoded = EncodedBatch(
            empty(B, S, self._width), HeldArray(lengths), empty(B, self._layers, self._width)
        )
        given = {
            "tokens": HeldArray(tokens),
            "lengths": encoded.lengths,
            "vectors": encoded.vectors,
            "summary": encoded.summary,
        }
        if self._together:
            self._runner.run(given, Extent(rows=B * S, sentences=B, source=S))
        else:
            positions, width = self._positions, self._width
            tables = positions.tables(S, width, self._head_width) if positions is not None else {}
            self._runner.run_sources(given, tables, S)
        return encoded


class NotedMemory:
    """Keys and values of a memory, made once a batch."""

    def __init__(self, noted: Mapping[str, Any], programs: Sequence[Runner]) -> None:
        self._runner = programs[count_of(noted["program"])]
        self._number = np.uint16 if noted["half"] else np.float32
        self._rooms = {
            str(name): (bool(keys), size_of(pairs), size_of(width))
            for name, (keys, pairs, width) in noted["rooms"].items()
        }

    def __call__(self, encoded: EncodedBatch) -> Tables:
        """By their names, with the ``lengths`` of the memories."""
        B, S, _ = encoded.vectors.shape
        rooms = {
            name: HeldArray(np.zeros((B, pairs, *self._shape(keys, S, width)), self._number))
            for name, (keys, pairs, width) in self._rooms.items()
        }
        if rooms:
            self._runner.run_sources({"vectors": encoded.vectors, **rooms}, {}, S)
        return {**rooms, "lengths": encoded.lengths}

    def _shape(self, keys: bool, length: int, width: int) -> tuple[int, ...]:
        """As of ``KeysAndValues`` of the engine."""
        rows, columns = (width, length + -length % _POSITIONS) if keys else (length, width)
        return (rows, columns) if self._number is np.float32 else (-(-rows // 2), columns, 2)
