"""Programs of native operations, built once for a model and run at every step."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from typing import Any, Literal

from torch import Tensor

from transduce.engine.programs.operands import Operand, noted, tensor_of
from transduce.engine.programs.weights import Number, Weights, plain, table_number
from transduce.kernels.border import numbers_of, raise_refusal
from transduce.kernels.library import Library
from transduce.kernels.running.notes import Note
from transduce.kernels.running.program_handle import ProgramHandle

__all__ = ["Activation", "Number", "Program"]

Activation = Literal["none", "relu", "gelu", "tanh", "gelu-tanh", "silu", "elu+1"]
Cell = Literal["rnn", "lstm", "gru"]

_ACTIVATIONS: dict[Activation, int] = {
    "none": 0,
    "relu": 1,
    "gelu": 2,
    "tanh": 3,
    "gelu-tanh": 4,
    "silu": 5,
    "elu+1": 6,
}
_CELLS: dict[Cell, int] = {"rnn": 0, "lstm": 1, "gru": 2}
_NOWHERE = -1


class Program:
    """Operations on buffers of activations ``[N, W]`` and on named tensors given to each run.

    Buffers are numbers, tensors are names. The operations are those of native/engine.cpp; one that
    does not fit its buffers and weights is refused. A ``Runner`` (runner.py) runs a program.
    """

    def __init__(self, library: Library, number: Number, *, memory: Number | None = None) -> None:
        """Products of ``number``; ``memory`` is what stores memories, where that is another."""
        self.library = library
        self.number: Number = number
        self.half = (memory or number) != "float32"  # caches and memories hold bfloat16
        self._functions = library.functions
        self._owned = ProgramHandle(library)  # freed before what it points to
        self._kept: list[object] = []  # what the operations point to
        self._shared: tuple[Tensor, Note] | None = None
        self._names: dict[str, int] = {}
        self._notes = library.notes
        self.note = None if self._notes is None else self._notes.program(self._names)

    @property
    def handle(self) -> int:
        """What the kernels know it by."""
        return self._owned.value

    @property
    def tensors(self) -> Mapping[str, int]:
        """The numbers of all tensors by their names."""
        return self._names

    def buffer(self, width: int, *, block: int = 1) -> int:
        """A buffer of float32 ``[N, width]``; of ``[B·⌈S / block⌉, width]`` with a ``block``."""
        number = ctypes.c_int()
        self._add("buffer", width, block, Note(ctypes.byref(number), None))
        return number.value

    def tensor(self, name: str) -> int:
        """The number of a tensor that each run gives by name."""
        return self._names.setdefault(name, len(self._names))

    # ------------------------------------------------------------ operations

    def embed(self, out: int, tokens: str, table: Tensor, scale: float) -> None:
        """``out = scale · table[tokens]``; tokens int64 ``[N]``. A shrunk table stays packed."""
        if (number := table_number(table, self.number)) is not None:
            packed = self._packed(table, None, number)
            self._add("packed_embed", out, self.tensor(tokens), packed, scale)
            return
        self._add("embed", out, self.tensor(tokens), len(table), self._numbers(table), scale)

    def share(self, weight: Tensor, bias: Tensor) -> None:
        """Pack a shrunk table once that is embedded from and, with a bias, multiplied with."""
        if table_number(weight, self.number) == self.number:
            self._shared = weight, self._pack(self.number, weight, bias)

    def positions(self, out: int, table: str, *, step: bool) -> None:
        """Add rows of float32 ``[P, W]``: of the step's position, or of each source position."""
        self._add("positions", out, self.tensor(table), step)

    def linear(
        self,
        source: int,
        out: int,
        weight: Operand,
        bias: Operand | None = None,
        *,
        activation: Activation = "none",
        add: bool = False,
        number: Number | None = None,
    ) -> None:
        """``out = f(source · weightᵀ + bias)``, or that added to ``out``."""
        packed = self._packed(weight, bias, number)
        self._add("linear", source, out, packed, _ACTIVATIONS[activation], add)

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
        self._add("norm", source, out, self._numbers(weight), self._numbers(bias), epsilon, centred)

    def gate(self, source: int, out: int, *, activation: Activation) -> None:
        """``out = f(source[:, W:]) ⊙ source[:, :W]``."""
        self._add("gate", source, out, _ACTIVATIONS[activation])

    def place(self, source: int, out: int, offset: int) -> None:
        """Copy a buffer into columns of another."""
        self._add("place", source, out, offset)

    def block_means(self, source: int, out: int, lengths: str) -> None:
        """The mean of the real rows of each block to the rows of ``out``, which has a block."""
        self._add("block_means", source, out, self.tensor(lengths))

    def mean(self, source: int, lengths: str, tensor: str) -> None:
        """The mean of each sentence's real rows ``[B·S, W]`` to float32 ``[B, W]``."""
        self._add("mean", source, self.tensor(lengths), self.tensor(tensor))

    def fetch(self, tensor: str, buffer: int, *, offset: int = 0, stride: int) -> None:
        """Copy columns of float32 ``[N, stride]`` into a buffer."""
        self._move(tensor, buffer, offset, stride, True)

    def put(self, buffer: int, tensor: str, *, offset: int = 0, stride: int) -> None:
        """Copy a buffer into columns of float32 ``[N, stride]``."""
        self._move(tensor, buffer, offset, stride, False)

    def cell(self, kind: Cell, sums: int, recurrent: int, hidden: int, cell: int) -> None:
        """One step of a recurrent cell in place; see native/layers.h for the sums."""
        self._add("cell", _CELLS[kind], sums, recurrent, hidden, cell)

    def recurrence(
        self,
        kind: Cell,
        sums: int,
        weight: Operand,
        bias: Operand | None,
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
        self._add(
            "recurrence", _CELLS[kind], sums, self._packed(weight, bias), out, offset,
            self.tensor(lengths), self.tensor(last), last_offset, last_stride, backwards,
        )  # fmt: skip

    def simple_recurrence(
        self, sums: int, out: int, cells: str, *, offset: int, stride: int, rectified: bool
    ) -> None:
        """One step of a simple recurrent unit, added to ``out``; see native/simple_recurrence.h."""
        self._add("simple_recurrence", sums, out, self.tensor(cells), offset, stride, rectified)

    def source_scan(self, sums: int, out: int, *, lengths: str) -> None:
        """A minimal gated unit over whole sources; see native/source_scan.h."""
        self._add("source_scan", sums, out, self.tensor(lengths))

    def key_value_sums(
        self, keys: int, values: int, out: int, *, pairs: int, width: int, lengths: str
    ) -> None:
        """Sums over whole sources for linear attention; see native/linear_attention.h."""
        self._add("key_value_sums", keys, values, out, self.tensor(lengths), pairs, width)

    def linear_attention(
        self, queries: int, sums: int, out: int, *, heads: tuple[int, int, int], lengths: str
    ) -> None:
        """Each source position over these sums; ``heads`` are H, G and d."""
        self._add("linear_attention", queries, sums, out, self.tensor(lengths), *heads)

    def source_convolution(
        self, source: int, out: int, *, lengths: str, taps: Tensor, bias: Tensor
    ) -> None:
        """Each channel over its last positions, then SiLU; see native/state_space.h."""
        self._add(
            "source_convolution", source, out, self.tensor(lengths), self._numbers(taps),
            self._numbers(bias),
        )  # fmt: skip

    def state_space_back(
        self, values: int, steps: int, selection: int, out: int, *, lengths: str, decay: Tensor
    ) -> None:
        """The half of a selective state space that reads from the end; see native/state_space.h."""
        numbers = self.tensor(lengths), self._numbers(decay)
        self._add("state_space_back", values, steps, selection, out, *numbers)

    def state_space_onwards(
        self,
        values: int,
        steps: int,
        selection: int,
        back: int,
        gate: int,
        out: int,
        *,
        lengths: str,
        decay: Tensor,
        skip: Tensor,
    ) -> None:
        """The other half, and what becomes of both."""
        numbers = self.tensor(lengths), self._numbers(decay), self._numbers(skip)
        self._add("state_space_onwards", values, steps, selection, back, gate, out, *numbers)

    def ancestry_attention(
        self,
        source: int,
        out: int,
        *,
        before: int,
        heads: tuple[int, int, int],
        cache: str,
        table: str,
        rotary: tuple[str, str] | None,
        bias: str | None,
    ) -> None:
        """Each row over its own ancestors; ``heads`` are H, G and d, ``before`` the sum of G·d of
        the layers below, whose keys and values come first in the cache.
        """
        self._add(
            "ancestry_attention", self.half, source, out, before, *heads, self.tensor(cache),
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
        window: int | None,
        summaries: int | None = None,
    ) -> None:
        """Each source position over its whole source, or ``window`` others on either side.

        ``bias`` is ``[H, 2 R + 1]``, of each distance, where R is the window or S - 1. The buffer
        ``summaries`` ``[B·⌈S / block⌉, 2 G d]`` has keys and values that all positions see besides.
        """
        self._add(
            "source_attention", self.half, source, out, *heads, self.tensor(lengths),
            *self._pair(rotary), self._optional(bias), window or 0,
            _NOWHERE if summaries is None else summaries,
        )  # fmt: skip

    def windows(
        self,
        frames: str,
        out: int,
        *,
        counts: str,
        room: str,
        across: tuple[int, int],
        down: tuple[int, int],
        height: int,
    ) -> None:
        """What each place of a convolution looks at; see native/convolution.h.

        ``across`` and ``down`` are kernel and stride, ``height`` is that of the frames' columns.
        """
        numbers = map(self.tensor, (frames, counts, room))
        self._add("windows", *numbers, out, *across, *down, height)

    def store_memory(
        self, source: int, tensor: str, *, offset: int, pairs: int, width: int, keys: bool
    ) -> None:
        """Columns of ``[B·S, W]`` to keys ``[B, G, d, P]`` or values ``[B, G, S, d]``."""
        number = self.tensor(tensor)
        self._add("store_memory", self.half, source, offset, number, pairs, width, keys)

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
        additive: Operand | None = None,
        cosine: bool = False,
    ) -> None:
        """Rows over the memory of their sentence; ``weights`` receives ``[N, S]``."""
        self._add(
            "memory_attention", self.half, source, out, *heads, value_width, self.tensor(keys),
            self.tensor(values), self.tensor(lengths), self._optional(weights), factor,
            self._numbers(additive), cosine,
        )  # fmt: skip

    def vocabulary(
        self, source: int, weight: Tensor, bias: Tensor, end: int, *, number: Number | None = None
    ) -> None:
        """All logits, or the candidates of each row, among the tokens of its ``shortlist``."""
        names = ("logits", "scores", "chosen", "shortlist", "unlisted")
        self._add(
            "vocabulary", source, self._packed(weight, bias, number), *map(self.tensor, names), end
        )

    def copy(self, gate: int, *, attention: str, symbols: str, lengths: str, size: int) -> None:
        """Mix the ``size`` logits of each row with its attention; see native/copy.h."""
        names = (attention, symbols, lengths, "logits")
        self._add("copy", gate, *map(self.tensor, names), size)

    # ------------------------------------------------------------ arguments

    def _move(self, tensor: str, buffer: int, offset: int, stride: int, fetched: bool) -> None:
        self._add("move", buffer, self.tensor(tensor), offset, stride, fetched)

    def _add(self, name: str, *arguments: Any) -> None:
        """Raises EngineError where an operation does not fit, ModelError where weights are none."""
        native = [each.native if isinstance(each, Note) else each for each in arguments]
        if getattr(self._functions, name)(self.handle, *native):
            raise_refusal(self._functions)
        if self.note is not None:
            self.note.add(
                name, [each.noted if isinstance(each, Note) else each for each in arguments]
            )

    def _packed(self, weight: Operand, bias: Operand | None, number: Number | None = None) -> Note:
        number = number or self.number
        if self._shared is not None and weight is self._shared[0] and number == self.number:
            return self._shared[1]
        return self._pack(number, weight, bias)

    def _pack(self, number: Number, weight: Operand, bias: Operand | None) -> Note:
        vector = None if bias is None else tensor_of(bias)
        packed = Weights(self.library, number, tensor_of(weight), vector)
        self._kept.append(packed)
        notes = self._notes
        if notes is None:
            return Note(packed.handle, None)
        place = notes.packed(number, noted(weight, notes), noted(bias, notes))
        return Note(packed.handle, {"packed": place})

    def _numbers(self, operand: Operand | None) -> Note:
        notes = self._notes
        said = None if notes is None else {"numbers": noted(operand, notes)}
        if operand is None:
            return Note(numbers_of(None), said)
        kept = plain(tensor_of(operand))
        self._kept.append(kept)
        return Note(numbers_of(kept), said)

    def _optional(self, name: str | None) -> int:
        return _NOWHERE if name is None else self.tensor(name)

    def _pair(self, names: tuple[str, str] | None) -> tuple[int, int]:
        return (
            (_NOWHERE, _NOWHERE)
            if names is None
            else (self.tensor(names[0]), self.tensor(names[1]))
        )
