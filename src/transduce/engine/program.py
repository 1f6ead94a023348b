"""Programs of native operations, built once for a model and run at every step."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from dataclasses import astuple, dataclass
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor

from transduce.engine.weights import Number, Weights, plain
from transduce.errors import EngineError
from transduce.kernels.library import Library

__all__ = ["Activation", "Extent", "Number", "Program", "Weights"]

Activation = Literal["none", "relu", "gelu", "tanh", "gelu-tanh", "silu"]
Cell = Literal["rnn", "lstm", "gru"]

_ACTIVATIONS: dict[Activation, int] = {
    "none": 0,
    "relu": 1,
    "gelu": 2,
    "tanh": 3,
    "gelu-tanh": 4,
    "silu": 5,
}
_CELLS: dict[Cell, int] = {"rnn": 0, "lstm": 1, "gru": 2}
_NOWHERE = -1
_ALONE = 1 << 24  # products of a run that one thread makes sooner than several can meet
_ROWS_APART = 512  # that a thread needs to be busy with sentences of its own
_MOST_ROWS = 4096  # of a run over whole sources: more would not stay in the processor's caches


class _Call(ctypes.Structure):
    """``Call`` of native/program.h."""

    _fields_ = (
        ("rows", ctypes.c_int64),
        ("sentences", ctypes.c_int64),
        ("source", ctypes.c_int64),
        ("position", ctypes.c_int64),
        ("candidates", ctypes.c_int64),
        ("capacity", ctypes.c_int64),
        ("ancestry", ctypes.c_int64),
        ("distances", ctypes.c_int64),
        ("tensors", ctypes.c_void_p),
        ("places", ctypes.c_void_p),
    )


@dataclass(frozen=True, slots=True)
class Extent:
    """How much a run computes; for the letters see ``transduce.interfaces``.

    ``rows`` N (B·S where a program runs over whole sources), ``sentences`` B, ``source`` S,
    ``position`` tokens read before, ``candidates`` C (0: all logits), ``capacity`` rows that a
    cache has room for at each position, ``ancestry`` positions that it has room for, ``distances``
    columns of a bias by distance.
    """

    rows: int
    sentences: int
    source: int
    position: int = 0
    candidates: int = 0
    capacity: int = 0
    ancestry: int = 0
    distances: int = 0


class Program:
    """Operations on buffers of activations ``[N, W]`` and on named tensors given to each run.

    Buffers are numbers, tensors are names. The operations are those of native/engine.cpp.
    """

    def __init__(self, library: Library, number: Number) -> None:
        self.library = library
        self.number: Number = number
        self.half = number != "float32"  # caches and memories hold bfloat16
        self._functions = library.functions
        self._kept: list[object] = []  # what the operations point to
        self._names: dict[str, int] = {}
        self._free = library.functions.transduce_free_program
        self._handle: int | None = self._functions.transduce_program()
        if not self._handle:
            raise EngineError("memory is too short for a program")

    def __del__(self) -> None:
        if getattr(self, "_handle", None):
            self._free(self._handle)

    def buffer(self, width: int) -> int:
        """A buffer of float32 ``[N, width]``."""
        number: int = self._functions.transduce_buffer(self._handle, width)
        return number

    def tensor(self, name: str) -> int:
        """The number of a tensor that each run gives by name."""
        return self._names.setdefault(name, len(self._names))

    # ------------------------------------------------------------ operations

    def embed(self, out: int, tokens: str, table: Tensor, scale: float) -> None:
        """``out = scale · table[tokens]``; tokens int64 ``[N]``."""
        self._functions.transduce_embed(
            self._handle, out, self.tensor(tokens), self._point(table), scale
        )

    def positions(self, out: int, table: str, *, step: bool) -> None:
        """Add rows of float32 ``[P, W]``: of the step's position, or of each source position."""
        self._functions.transduce_positions(self._handle, out, self.tensor(table), step)

    def linear(
        self,
        source: int,
        out: int,
        weight: Tensor,
        bias: Tensor | None = None,
        *,
        activation: Activation = "none",
        add: bool = False,
    ) -> None:
        """``out = f(source · weightᵀ + bias)``, or that added to ``out``."""
        packed = Weights(self.library, self.number, weight, bias)
        self._kept.append(packed)
        self._functions.transduce_linear(
            self._handle, source, out, packed.handle, _ACTIVATIONS[activation], add
        )

    def norm(
        self,
        source: int,
        out: int,
        weight: Tensor,
        bias: Tensor | None,
        epsilon: float,
        *,
        centred: bool,
    ) -> None:
        """LayerNorm (``centred``) or RMSNorm of each row."""
        offset = None if bias is None else self._point(bias)
        self._functions.transduce_norm(
            self._handle, source, out, self._point(weight), offset, epsilon, centred
        )

    def gate(self, source: int, out: int, *, activation: Activation) -> None:
        """``out = f(source[:, W:]) ⊙ source[:, :W]``."""
        self._functions.transduce_gate(self._handle, source, out, _ACTIVATIONS[activation])

    def place(self, source: int, out: int, offset: int) -> None:
        """Copy a buffer into columns of another."""
        self._functions.transduce_place(self._handle, source, out, offset)

    def fetch(self, tensor: str, buffer: int, *, offset: int = 0, stride: int) -> None:
        """Copy columns of float32 ``[N, stride]`` into a buffer."""
        self._move(tensor, buffer, offset, stride, True)

    def put(self, buffer: int, tensor: str, *, offset: int = 0, stride: int) -> None:
        """Copy a buffer into columns of float32 ``[N, stride]``."""
        self._move(tensor, buffer, offset, stride, False)

    def cell(self, kind: Cell, sums: int, recurrent: int, hidden: int, cell: int) -> None:
        """One step of a recurrent cell in place; see native/layers.h for the sums."""
        self._functions.transduce_cell(self._handle, _CELLS[kind], sums, recurrent, hidden, cell)

    def recurrence(
        self,
        kind: Cell,
        sums: int,
        weight: Tensor,
        bias: Tensor | None,
        out: int,
        *,
        offset: int,
        lengths: str,
        last: str,
        last_offset: int,
        last_stride: int,
        backwards: bool,
    ) -> None:
        """A recurrent layer over whole sources from its input sums; see native/recurrence.h."""
        packed = Weights(self.library, self.number, weight, bias)
        self._kept.append(packed)
        self._functions.transduce_recurrence(
            self._handle, _CELLS[kind], sums, packed.handle, out, offset, self.tensor(lengths),
            self.tensor(last), last_offset, last_stride, backwards,
        )  # fmt: skip

    def ancestry_attention(
        self,
        source: int,
        out: int,
        *,
        layer: int,
        heads: tuple[int, int, int],
        cache: str,
        table: str,
        rotary: tuple[str, str] | None,
        bias: str | None,
    ) -> None:
        """Each row over its own ancestors; ``heads`` are H, G and d."""
        self._functions.transduce_ancestry_attention(
            self._handle, self.half, source, out, layer, *heads, self.tensor(cache),
            self.tensor(table), *self._pair(rotary), self._optional(bias),
        )  # fmt: skip

    def source_attention(
        self,
        source: int,
        out: int,
        *,
        heads: tuple[int, int, int],
        lengths: str,
        rotary: tuple[str, str] | None,
        bias: str | None,
    ) -> None:
        """Each source position over its whole source; ``bias`` is ``[H, S, S]``."""
        self._functions.transduce_source_attention(
            self._handle, self.half, source, out, *heads, self.tensor(lengths),
            *self._pair(rotary), self._optional(bias),
        )  # fmt: skip

    def windows(
        self, frames: str, out: int, *, counts: str, room: str, kernel: int, stride: int
    ) -> None:
        """What each place of a convolution over time looks at; see native/convolution.h."""
        self._functions.transduce_windows(
            self._handle, self.tensor(frames), self.tensor(counts), self.tensor(room), out, kernel,
            stride,
        )  # fmt: skip

    def store_memory(
        self, source: int, tensor: str, *, offset: int, pairs: int, width: int, keys: bool
    ) -> None:
        """Columns of ``[B·S, W]`` to keys ``[B, G, d, P]`` or values ``[B, G, S, d]``."""
        self._functions.transduce_store_memory(
            self._handle, self.half, source, offset, self.tensor(tensor), pairs, width, keys
        )

    def memory_attention(
        self,
        source: int,
        out: int,
        *,
        heads: tuple[int, int, int],
        value_width: int,
        keys: str,
        values: str,
        lengths: str,
        factor: float,
        weights: str | None = None,
        additive: Tensor | None = None,
        cosine: bool = False,
    ) -> None:
        """Rows over the memory of their sentence; ``weights`` receives ``[N, S]``."""
        self._functions.transduce_memory_attention(
            self._handle, self.half, source, out, *heads, value_width, self.tensor(keys),
            self.tensor(values), self.tensor(lengths), self._optional(weights), factor,
            None if additive is None else self._point(additive), cosine,
        )  # fmt: skip

    def vocabulary(self, source: int, weight: Tensor, bias: Tensor, end: int) -> None:
        """All logits, or the candidates of each row."""
        packed = Weights(self.library, self.number, weight, bias)
        self._kept.append(packed)
        names = ("logits", "scores", "chosen")
        self._functions.transduce_vocabulary(
            self._handle, source, packed.handle, *map(self.tensor, names), end
        )

    # ------------------------------------------------------------ running

    def run(self, tensors: Mapping[str, Tensor], extent: Extent) -> None:
        """Run all operations. Tensors must be contiguous; those not given are not touched.

        Raises EngineError where memory is short.
        """
        pointers = self._pointers(tensors)
        call = _Call(*astuple(extent), ctypes.addressof(pointers), None)
        small = extent.rows * self.weight_bytes <= _ALONE
        threads = 1 if small else torch.get_num_threads()
        if self._functions.transduce_run(self._handle, threads, ctypes.byref(call)):
            raise EngineError("a step failed: memory is too short for its rows")

    def search(
        self,
        tensors: Mapping[str, Tensor],
        extent: Extent,
        plan: ctypes.Structure,
        slots: ctypes.Structure,
        found: ctypes.Structure,
        *,
        together: bool,
    ) -> int:
        """Run steps from the first to the last; see native/search.h for the structures.

        ``together``: all threads work on each step, in place of each on sentences of its own.
        """
        pointers = self._pointers(tensors)
        call = _Call(*astuple(extent), ctypes.addressof(pointers), None)
        outcome: int = self._functions.transduce_search(
            self._handle, torch.get_num_threads(), together, ctypes.byref(call),
            ctypes.byref(plan), ctypes.byref(slots), ctypes.byref(found),
        )  # fmt: skip
        return outcome

    @property
    def tensors(self) -> Mapping[str, int]:
        """The numbers of all tensors by their names."""
        return self._names

    @cached_property
    def weight_bytes(self) -> int:
        """Of packed weights that a run reads; asked for once all operations are there."""
        total: int = self._functions.transduce_weight_bytes(self._handle)
        return total

    def _pointers(self, tensors: Mapping[str, Tensor]) -> ctypes.Array[ctypes.c_void_p]:
        pointers = (ctypes.c_void_p * max(1, len(self._names)))()
        for name, number in self._names.items():
            if (tensor := tensors.get(name)) is not None:
                pointers[number] = tensor.data_ptr()
        return pointers

    def run_sources(
        self, of_sentences: Mapping[str, Tensor], shared: Mapping[str, Tensor], source: int
    ) -> None:
        """Run over B whole sources of S = ``source`` positions, some sentences at a time.

        The first tensors have an entry for each sentence, contiguous; the others are the same for
        all. Where there are sentences enough, each thread takes some of its own and waits for
        nobody. Raises EngineError like :meth:`run`.
        """
        count, threads = len(next(iter(of_sentences.values()))), torch.get_num_threads()
        together = max(1, _MOST_ROWS // max(source, 1))
        each = -(-count // threads)
        apart = threads > 1 and count >= threads and each * source >= _ROWS_APART
        if apart:
            together = min(together, each)
        kept, calls = [], []
        for first in range(0, count, together):
            part = {name: tensor[first : first + together] for name, tensor in of_sentences.items()}
            sentences = min(together, count - first)
            extent = Extent(rows=sentences * source, sentences=sentences, source=source)
            if not apart:
                self.run({**shared, **part}, extent)
                continue
            kept.append(self._pointers({**shared, **part}))
            calls.append(_Call(*astuple(extent), ctypes.addressof(kept[-1]), None))
        together_calls = (_Call * len(calls))(*calls)
        if apart and self._functions.transduce_run_apart(
            self._handle, threads, together_calls, len(calls)
        ):
            raise EngineError("a step failed: memory is too short for its rows")

    # ------------------------------------------------------------ arguments

    def _move(self, tensor: str, buffer: int, offset: int, stride: int, fetched: bool) -> None:
        self._functions.transduce_move(
            self._handle, buffer, self.tensor(tensor), offset, stride, fetched
        )

    def _point(self, tensor: Tensor) -> int:
        kept = plain(tensor)
        self._kept.append(kept)
        return kept.data_ptr()

    def _optional(self, name: str | None) -> int:
        return _NOWHERE if name is None else self.tensor(name)

    def _pair(self, names: tuple[str, str] | None) -> tuple[int, int]:
        return (
            (_NOWHERE, _NOWHERE)
            if names is None
            else (self.tensor(names[0]), self.tensor(names[1]))
        )
