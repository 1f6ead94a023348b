"""Runs of a program: how much is computed, on which tensors, by how many threads."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from transduce.kernels.border import Checked, Given, Held, given, raise_refusal
from transduce.kernels.library import Library
from transduce.kernels.running.threads import thread_count

__all__ = ["Extent", "Runner", "WrittenProgram"]

_ALONE = 1 << 24  # products of a run that one thread makes sooner than several can meet
_ROWS_APART = 512  # that a thread needs to be busy with sentences of its own
_MOST_ROWS = 4096  # of a run over whole sources: more would not stay in the processor's caches


class _Call(Checked):
    """``Call`` of native/call.h."""

    _fields_ = (
        ("rows", ctypes.c_int64),
        ("sentences", ctypes.c_int64),
        ("source", ctypes.c_int64),
        ("position", ctypes.c_int64),
        ("candidates", ctypes.c_int64),
        ("capacity", ctypes.c_int64),
        ("ancestry", ctypes.c_int64),
        ("distances", ctypes.c_int64),
        ("listed", ctypes.c_int64),
        ("tensors", ctypes.c_void_p),
        ("tensor_count", ctypes.c_int64),
        ("places", ctypes.c_void_p),
    )


@dataclass(frozen=True, slots=True)
class Extent:
    """How much a run computes; for the letters see ``transduce.interfaces``.

    ``rows`` N (B·S where a program runs over whole sources), ``sentences`` B, ``source`` S,
    ``position`` tokens read before, ``candidates`` C (0: all logits), ``capacity`` rows that a
    cache has room for at each position, ``ancestry`` positions that it has room for, ``distances``
    columns of a bias by distance, ``listed`` columns of the shortlists (0: there are none).
    """

    rows: int
    sentences: int
    source: int
    position: int = 0
    candidates: int = 0
    capacity: int = 0
    ancestry: int = 0
    distances: int = 0
    listed: int = 0

    def call(self, tensors: ctypes.Array[Given]) -> _Call:
        """As the kernels are told. Raises EngineError where a number does not fit."""
        return _Call.of(
            self.rows, self.sentences, self.source, self.position, self.candidates, self.capacity,
            self.ancestry, self.distances, self.listed, ctypes.addressof(tensors), len(tensors),
            None,
        )  # fmt: skip


class WrittenProgram(Protocol):
    """A program that is written."""

    @property
    def library(self) -> Library:
        """The kernels that it is written for."""
        ...

    @property
    def handle(self) -> int:
        """What the kernels know it by."""
        ...

    @property
    def tensors(self) -> Mapping[str, int]:
        """The numbers of all tensors by their names."""
        ...


class Runner:
    """A program as it is run. Tensors are given by the names in ``tensors``, contiguous.

    The kernels see to it once a call that every tensor is as large as the run needs, and that
    tokens, lengths and places are within their bounds. What is refused is an EngineError that names
    the tensor; so is memory that is short.
    """

    def __init__(self, program: WrittenProgram) -> None:
        self._program = program
        self._functions = program.library.functions
        self._handle = program.handle

    @property
    def tensors(self) -> Mapping[str, int]:
        """The numbers of all tensors by their names."""
        return self._program.tensors

    @cached_property
    def weight_bytes(self) -> int:
        """Of packed weights that a run reads; asked for once all operations are there."""
        total: int = self._functions.weight_bytes(self._handle)
        return total

    def run(self, tensors: Mapping[str, Held], extent: Extent) -> None:
        """Run all operations. Tensors not given are not wanted, or missed."""
        call = extent.call(pointers := given(self.tensors, tensors))
        small = extent.rows * self.weight_bytes <= _ALONE
        threads = 1 if small else thread_count()
        failed = self._functions.run(self._handle, threads, ctypes.byref(call))
        del pointers  # which the call has pointed to
        if failed:
            raise_refusal(self._functions, self.tensors)

    def search(
        self,
        tensors: Mapping[str, Held],
        extent: Extent,
        plan: Checked,
        slots: Checked,
        found: Checked,
        *,
        together: bool,
    ) -> None:
        """Run steps from the first to the last; see native/search.h for the structures.

        ``together``: all threads work on each step, in place of each on sentences of its own.
        """
        call = extent.call(pointers := given(self.tensors, tensors))
        failed = self._functions.search(
            self._handle, thread_count(), together, ctypes.byref(call),
            ctypes.byref(plan), ctypes.byref(slots), ctypes.byref(found),
        )  # fmt: skip
        del pointers
        if failed:
            raise_refusal(self._functions, self.tensors)

    def run_sources(
        self, of_sentences: Mapping[str, Held], shared: Mapping[str, Held], source: int
    ) -> None:
        """Run over B whole sources of S = ``source`` positions, some sentences at a time.

        The first tensors have an entry for each sentence; the others are the same for all. Where
        there are sentences enough, each thread takes some of its own and waits for nobody.
        """
        count, threads = len(next(iter(of_sentences.values()))), thread_count()
        together = max(1, _MOST_ROWS // max(source, 1))
        each = -(-count // threads)
        apart = threads > 1 and count >= threads and each * source >= _ROWS_APART
        if apart:
            together = min(together, each)
        kept, calls = [], []
        for first in range(0, count, together):
            chunk = {
                name: tensor[first : first + together] for name, tensor in of_sentences.items()
            }
            sentences = min(together, count - first)
            extent = Extent(rows=sentences * source, sentences=sentences, source=source)
            if not apart:
                self.run({**shared, **chunk}, extent)
                continue
            kept.append(given(self.tensors, {**shared, **chunk}))
            calls.append(extent.call(kept[-1]))
        if apart and self._functions.run_apart(
            self._handle, threads, (_Call * len(calls))(*calls), len(calls)
        ):
            raise_refusal(self._functions, self.tensors)
