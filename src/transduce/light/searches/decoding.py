"""A noted decoder: what a whole search of the kernels needs of it, on NumPy's arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from transduce.errors import ModelError
from transduce.kernels.running.held_array import HeldArray
from transduce.kernels.running.runner import Extent, Runner
from transduce.light.notes.noted_numbers import count_of, counts_of, size_of
from transduce.light.searches.encoding import EncodedBatch, NotedMemory, NotedPositions, Tables

__all__ = ["NotedDecoder"]

Numbers = Callable[[Any], HeldArray | None]


class NotedDecoder:
    """A ``SearchedDecoder``, Transformer or recurrent."""

    def __init__(
        self, noted: Mapping[str, Any], programs: Sequence[Runner], numbers: Numbers
    ) -> None:
        self.runner = programs[count_of(noted["program"])]
        self.prepare = NotedMemory(noted["memory"], programs)
        self._width = size_of(noted["width"])
        self.cached: tuple[int, ...] = ()
        self._positions: NotedPositions | None = None
        self.positions: int | None = None  # that it knows; None: as many as asked for
        self._first: _FirstStates | None = None
        self._recurrent = self._head_width = 0
        if noted["kind"] == "transformer":
            self.cached = counts_of(noted["cached"])
            self._recurrent = count_of(noted["recurrent"])
            self._head_width = count_of(noted["head_width"])
            self._positions = NotedPositions(noted["positions"], numbers, self._width)
            self.positions = self._positions.known
        elif noted["kind"] == "recurrent":
            self._first = _FirstStates(noted["first"], programs, self._width)
        else:
            raise ModelError(f"decoder must be of a known kind; got {noted['kind']!r}")

    def tables(self, count: int) -> Tables:
        """What tells the first ``count`` positions apart."""
        if self._positions is None:
            return {}
        return self._positions.tables(count, self._width, self._head_width)

    def first_rows(self, encoded: EncodedBatch) -> Tables:
        """What each row carries from step to step, before the first token."""
        if self._first is not None:
            return self._first(encoded)
        if not self._recurrent:
            return {}
        cells = np.zeros((len(encoded.lengths), self._recurrent, self._width), np.float32)
        return {"cells": HeldArray(cells)}


class _FirstStates:
    """A recurrent decoder's states before the first token, as ``Bridge`` makes them."""

    def __init__(self, noted: Mapping[str, Any], programs: Sequence[Runner], width: int) -> None:
        self._kind, self._width = noted["kind"], width
        self._names = noted["names"]
        if self._names not in (["hidden"], ["hidden", "cell"]):
            raise ModelError(f"states must be hidden, or hidden and cell; got {self._names!r}")
        self._layers, self._feeds = size_of(noted["layers"]), bool(noted["feeds"])
        self._runner = None
        if self._kind == "dense":
            self._runner = programs[count_of(noted["program"])]
        elif self._kind not in ("zero", "copy"):
            raise ModelError(f"bridge must be zero, copy or dense; got {self._kind!r}")

    def __call__(self, encoded: EncodedBatch) -> Tables:
        summary = encoded.summary.array
        B, L = summary.shape[:2]
        rows = {
            name: HeldArray(np.zeros((B, self._layers, self._width), np.float32))
            for name in self._names
        }
        if self._kind == "copy":
            if summary.shape != (B, self._layers, self._width):
                raise ModelError("a summary that is copied must be of the states' shape")
            rows[self._names[0]] = HeldArray(np.ascontiguousarray(summary))
        elif self._runner is not None:
            places = range(self._layers) if self._layers == L else [-1] * self._layers
            read = {
                f"summary.{n}": HeldArray(np.ascontiguousarray(summary[:, at]))
                for n, at in enumerate(places)
            }
            self._runner.run({**rows, **read}, Extent(rows=B, sentences=B, source=1))
        fed = {"output": HeldArray(np.zeros((B, self._width), np.float32))} if self._feeds else {}
        return rows | fed
