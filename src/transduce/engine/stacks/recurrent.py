"""Recurrent encoders and decoders as native programs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from transduce.engine.frontends.entrance import Entrance
from transduce.engine.programs.blocks import heads_of, write_copying, write_output
from transduce.engine.programs.operands import Scaled, Summed
from transduce.engine.programs.program import Program
from transduce.engine.programs.weights import Number
from transduce.engine.stacks.first_states import FirstStates, read_memory
from transduce.errors import NoProgramError
from transduce.interfaces import Memory, Source
from transduce.kernels.library import Library
from transduce.kernels.running.runner import Extent, Runner
from transduce.models.copying import PointerGenerator
from transduce.models.recurrent import RecurrentDecoder, RecurrentEncoder
from transduce.models.seq2seq import Embedding, OutputLayer
from transduce.modules.attention_scores import (
    AdditiveScore,
    CosineScore,
    DotScore,
    GeneralScore,
    MultiHead,
    ScoreAttention,
)
from transduce.modules.recurrent import RecurrentEncoderLayer, RecurrentLayer

__all__ = ["NativeRecurrentDecoder", "NativeRecurrentEncoder"]


class NativeRecurrentEncoder:
    """A :class:`RecurrentEncoder` with its embedding, in one program (see :class:`Entrance`)."""

    def __init__(
        self, library: Library, number: Number, entrance: Entrance, encoder: RecurrentEncoder
    ) -> None:
        self._entrance = entrance
        self._layers, self._width = len(encoder.layers), encoder.width
        program = Program(library, number)
        source = program.buffer(entrance.width)
        entrance.write(program, source)
        for place, layer in enumerate(encoder.layers):
            if not isinstance(layer, RecurrentEncoderLayer):
                raise TypeError(f"layer must be a RecurrentEncoderLayer; got {type(layer)}")
            out = program.buffer(encoder.width)
            self._direction(program, layer.ahead, source, out, place, backwards=False)
            if layer.back is not None:
                self._direction(program, layer.back, source, out, place, backwards=True)
            source = out
        program.put(source, "vectors", stride=encoder.width)
        self._program, self._runner = program, Runner(program)

    def _direction(
        self,
        program: Program,
        layer: RecurrentLayer,
        source: int,
        out: int,
        place: int,
        *,
        backwards: bool,
    ) -> None:
        input_weight, recurrent_weight, input_bias, recurrent_bias = _weights(layer)
        sums = program.buffer(len(input_weight))
        program.linear(source, sums, input_weight, input_bias)
        offset = layer.width if backwards else 0
        program.recurrence(
            layer.kind,
            sums,
            recurrent_weight,
            recurrent_bias,
            out,
            offset=offset,
            lengths="lengths",
            last="summary",
            last_offset=place * self._width + offset,
            last_stride=self._layers * self._width,
            backwards=backwards,
        )

    def noted(self) -> dict[str, Any] | None:
        """What it is, as data; None where it cannot be made of that."""
        note = self._program.note
        if note is None or not self._entrance.embeds:
            return None
        sizes = {"width": self._width, "layers": self._layers}
        return {"kind": "recurrent", "program": note.number, **sizes}

    def __call__(self, source: Source) -> Memory:
        """Encode a padded batch."""
        return self._entrance.encoded(source, self._run, self._width, self._layers)

    def _run(self, tensors: dict[str, Tensor], sentences: int, length: int) -> None:
        rows = sentences * length
        self._runner.run(tensors, Extent(rows=rows, sentences=sentences, source=length))


class NativeRecurrentDecoder:
    """A :class:`RecurrentDecoder` between embedding and output, one token at a time."""

    cached: tuple[int, ...] = ()  # keeps no keys and values of what was read
    positions: int | None = None

    def __init__(
        self,
        library: Library,
        number: Number,
        embedding: Embedding,
        decoder: RecurrentDecoder,
        output: OutputLayer,
        pointer: PointerGenerator | None = None,
    ) -> None:
        self._decoder = decoder
        self.attends = decoder.attention is not None
        self.stored = torch.float32 if number == "float32" else torch.bfloat16
        self.prepare = read_memory(library, number, decoder)
        self._first = FirstStates(library, decoder)
        program = self._program = Program(library, number)
        if output.weight is embedding.weight:
            program.share(output.weight, output.bias)
        width = embedding.weight.shape[1]
        embedded = program.buffer(width)
        program.embed(embedded, "tokens", embedding.weight, embedding.scale)
        if decoder.input_feeding:
            before, joined = program.buffer(decoder.width), program.buffer(width + decoder.width)
            program.fetch("output", before, stride=decoder.width)
            program.place(embedded, joined, 0)
            program.place(before, joined, width)
            embedded = joined
        hidden = self._recurrence(embedded)
        outputs = self._attend(hidden)
        if decoder.input_feeding:
            program.put(outputs, "output", stride=decoder.width)
        write_output(program, output, outputs)
        if pointer is not None:
            write_copying(program, pointer, embedding, outputs)
        self.runner = Runner(program)

    def _recurrence(self, source: int) -> int:
        """All layers, one step; the top layer's hidden states."""
        program, decoder = self._program, self._decoder
        width, layers = decoder.width, list(decoder.stack.layers)
        stride = width * len(layers)
        for place, layer in enumerate(layers):
            if not isinstance(layer, RecurrentLayer):
                raise TypeError(f"layer must be a RecurrentLayer; got {type(layer)}")
            hidden = program.buffer(width)
            program.fetch("hidden", hidden, offset=place * width, stride=stride)
            cell = hidden
            if layer.kind == "lstm":
                cell = program.buffer(width)
                program.fetch("cell", cell, offset=place * width, stride=stride)
            recurrent_cell(program, layer, source, hidden, cell)
            program.put(hidden, "hidden", offset=place * width, stride=stride)
            if layer.kind == "lstm":
                program.put(cell, "cell", offset=place * width, stride=stride)
            source = hidden
        return source

    def _attend(self, hidden: int) -> int:
        program, decoder = self._program, self._decoder
        attention = decoder.attention
        if attention is None:
            return hidden
        context = program.buffer(attention.width)
        if isinstance(attention, MultiHead):
            self._look_by_heads(attention, hidden, context)
        elif isinstance(attention, ScoreAttention):
            self._look_by_score(attention, hidden, context)
        else:
            raise NoProgramError.of("attention", attention)
        joined = program.buffer(decoder.width + attention.width)
        program.place(hidden, joined, 0)
        program.place(context, joined, decoder.width)
        outputs = program.buffer(decoder.width)
        program.linear(joined, outputs, decoder.combine.weight, activation="tanh")
        return outputs

    def _look_by_heads(self, attention: MultiHead, hidden: int, context: int) -> None:
        program, heads = self._program, attention.heads
        queries, attended = program.buffer(attention.width), program.buffer(attention.width)
        program.linear(hidden, queries, heads.query.weight, heads.query.bias)
        program.memory_attention(
            queries,
            attended,
            heads=heads_of(heads),
            value_width=heads.head_width,
            keys="keys",
            values="values",
            lengths="lengths",
            factor=1 / math.sqrt(heads.head_width),
            weights="attention",
        )
        program.linear(attended, context, heads.output.weight, heads.output.bias)

    def _look_by_score(self, attention: ScoreAttention, hidden: int, context: int) -> None:
        program, score = self._program, attention.score
        queries, additive = hidden, None
        if isinstance(score, AdditiveScore):
            queries = program.buffer(score.vector.shape[0])
            weight, bias = Scaled(score.query.weight, 2), Scaled(score.query.bias, 2)
            program.linear(hidden, queries, weight, bias)
            additive = Scaled(score.vector, 2)
        elif not isinstance(score, DotScore | GeneralScore | CosineScore):
            raise NoProgramError.of("attention", score)
        program.memory_attention(
            queries,
            context,
            heads=(1, 1, self._decoder.width),
            value_width=attention.width,
            keys="keys",
            values="values",
            lengths="lengths",
            factor=1.0,
            weights="attention",
            additive=additive,
            cosine=isinstance(score, CosineScore),
        )

    def noted(self) -> dict[str, Any] | None:
        """What it is, as data; None where it cannot be made of that."""
        note, memory = self._program.note, self.prepare.noted()
        if note is None or memory is None:
            return None
        sizes = {"width": self._decoder.width, "first": self._first.noted()}
        return {"kind": "recurrent", "program": note.number, "memory": memory, **sizes}

    def first_rows(self, memory: Memory) -> dict[str, Tensor]:
        """The states before the first token."""
        return self._first(memory)

    def run(self, tensors: Mapping[str, Tensor], extent: Extent) -> None:
        """One token of every row."""
        self.runner.run(tensors, extent)

    def tables(self, count: int) -> dict[str, Tensor]:
        """A recurrent state has no positions."""
        return {}


def recurrent_cell(
    program: Program, layer: RecurrentLayer, source: int, hidden: int, cell: int
) -> None:
    """The sums of one cell and the cell; ``hidden`` and ``cell`` change in place."""
    input_weight, recurrent_weight, input_bias, recurrent_bias = _weights(layer)
    sums = program.buffer(len(input_weight))
    if layer.kind == "gru":
        recurrent = program.buffer(len(recurrent_weight))
        program.linear(source, sums, input_weight, input_bias)
        program.linear(hidden, recurrent, recurrent_weight, recurrent_bias)
    else:
        recurrent = sums
        program.linear(source, sums, input_weight, Summed(input_bias, recurrent_bias))
        program.linear(hidden, sums, recurrent_weight, add=True)
    program.cell(layer.kind, sums, recurrent, hidden, cell)


def _weights(layer: RecurrentLayer) -> list[Tensor]:
    """W ``[G·D, E]``, U ``[G·D, D]``, b and b' ``[G·D]``."""
    weights: Any = layer.kernel.all_weights[0]
    return [*weights]
