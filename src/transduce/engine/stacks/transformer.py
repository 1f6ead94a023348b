"""Transformer encoders and decoders as native programs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from transduce.engine.frontends.entrance import Entrance, write_embedding
from transduce.engine.programs.blocks import Blocks, heads_of, norm, write_copying, write_output
from transduce.engine.programs.program import Program
from transduce.engine.programs.weights import Number, over_sources, plain
from transduce.engine.stacks.memory import KeysAndValues
from transduce.interfaces import Memory, Source
from transduce.kernels.library import Library
from transduce.kernels.running.notes import Notes
from transduce.kernels.running.position_tables import position_tables, table_room
from transduce.kernels.running.runner import Extent, Runner
from transduce.models.copying import PointerGenerator
from transduce.models.seq2seq import Embedding, OutputLayer
from transduce.models.transformer import TransformerDecoder, TransformerEncoder
from transduce.modules.positions import (
    LearnedPositions,
    RelativeBias,
    SinusoidalPositions,
    fairseq_table,
)
from transduce.modules.transformer import AnyDecoderLayer, DecoderLayer, EncoderLayer

__all__ = ["NativeTransformerDecoder", "NativeTransformerEncoder"]


class NativeTransformerEncoder:
    """A :class:`TransformerEncoder` with its embedding, in one program (see :class:`Entrance`)."""

    def __init__(
        self, library: Library, number: Number, entrance: Entrance, encoder: TransformerEncoder
    ) -> None:
        self._entrance = entrance
        self._encoder = encoder
        self._positions = _Positions(encoder.entry.positions, library.notes)
        program = Program(library, number)
        blocks = Blocks(program, encoder.width)
        blocks.enter_stack(encoder.entry, entrance.width, entrance.write, step=False)
        for layer in encoder.layers:
            if not isinstance(layer, EncoderLayer):
                raise TypeError(f"layer must be an EncoderLayer; got {type(layer)}")
            if encoder.linear_attention:
                attended = blocks.linearly_attended(layer)
            else:
                attended = _attended(blocks, layer, encoder)
            blocks.leave(layer.attention_residual, attended, layer.attention.output)
            blocks.feed_forward(layer)
        norm(program, encoder.norm, blocks.stream, blocks.entered)
        program.put(blocks.entered, "vectors", stride=encoder.width)
        program.mean(blocks.entered, "lengths", "summary")
        self._program, self._runner = program, Runner(program)

    def noted(self) -> dict[str, Any] | None:
        """What it is, as data; None where it cannot be made of that."""
        note, positions = self._program.note, self._positions.noted()
        whole = self._entrance.embeds and self._encoder.relative is None
        if note is None or positions is None or not whole:
            return None
        sizes = {"width": self._encoder.width, "head_width": self._head_width}
        return {"kind": "transformer", "program": note.number, "positions": positions, **sizes}

    @property
    def _head_width(self) -> int:
        layers = self._encoder.layers
        first = layers[0] if len(layers) else None
        return first.attention.head_width if isinstance(first, EncoderLayer) else 0

    def __call__(self, source: Source) -> Memory:
        """Encode a padded batch."""
        return self._entrance.encoded(source, self._run, self._encoder.width)

    def _run(self, tensors: dict[str, Tensor], sentences: int, length: int) -> None:
        tables = self._positions.tables(length, self._encoder.width, self._head_width)
        if self._encoder.relative is not None:
            reach = self._encoder.window or length - 1
            of_distances = self._encoder.relative(1, 2 * reach + 1, reach)[:, 0]
            tables["bias"] = of_distances.float().contiguous()  # [H, 2 R + 1]
        self._runner.run_sources(tensors, tables, length)


def _attended(blocks: Blocks, layer: EncoderLayer, encoder: TransformerEncoder) -> int:
    """The buffer for what all heads give over the source, or a window of it."""
    source, summaries = blocks.enter(layer.attention_residual), None
    if encoder.global_block is not None:
        summaries = blocks.summaries(layer, encoder.global_block, source)
        # Once more, as all positions have passed meanwhile: none is kept of what entered.
        source = blocks.enter(layer.attention_residual)
    together = blocks.queries_keys_values(layer.attention, source)
    attended = blocks.attended(layer.attention)
    blocks.program.source_attention(
        together,
        attended,
        heads=heads_of(layer.attention),
        lengths="lengths",
        rotary=("cosines", "sines") if layer.rotary else None,
        bias="bias" if encoder.relative is not None else None,
        window=encoder.window,
        summaries=summaries,
    )
    return attended


class NativeTransformerDecoder:
    """A :class:`TransformerDecoder` between embedding and output, one token at a time.

    Keys and values of tokens read are written once and stay where they are; a table says for each
    row where its ancestors wrote, and that alone is reordered with the beams. Where layers are
    recurrent, the rows' ``cells`` ``[N, L, D]`` are all that is kept.
    """

    attends = True

    def __init__(
        self,
        library: Library,
        number: Number,
        embedding: Embedding,
        decoder: TransformerDecoder,
        output: OutputLayer,
        pointer: PointerGenerator | None = None,
    ) -> None:
        layers = [layer for layer in decoder.layers if isinstance(layer, AnyDecoderLayer)]
        self._decoder = decoder
        self._recurrent = sum(not isinstance(layer, DecoderLayer) for layer in layers)
        self._positions = _Positions(decoder.entry.positions, library.notes)
        self.positions = self._positions.known
        self._distances: Tensor | None = None
        own = [layer.attention for layer in layers if isinstance(layer, DecoderLayer)]
        self.cached = tuple(pairs * width for _, pairs, width in map(heads_of, own))
        self._head_width = layers[0].memory_attention.head_width
        self.stored = torch.float32 if number == "float32" else torch.bfloat16
        self.prepare = self._keys_and_values(library, number, layers)
        self._program = self._step_program(library, number, embedding, layers, output, pointer)
        self.runner = Runner(self._program)

    def _keys_and_values(
        self, library: Library, number: Number, layers: list[AnyDecoderLayer]
    ) -> KeysAndValues:
        """Keys and values of the memory for every layer, in one product."""
        attentions = [layer.memory_attention for layer in layers]
        width = attentions[0].key.weight.shape[1]
        memory = KeysAndValues(library, number, width, products=over_sources(number))
        memory.project(
            [(f"memory_key.{n}", f"memory_value.{n}") for n in range(len(layers))], attentions
        )
        return memory

    def _step_program(
        self,
        library: Library,
        number: Number,
        embedding: Embedding,
        layers: list[AnyDecoderLayer],
        output: OutputLayer,
        pointer: PointerGenerator | None,
    ) -> Program:
        program = Program(library, number)
        decoder = self._decoder
        blocks = Blocks(program, decoder.width)
        if output.weight is embedding.weight:
            program.share(output.weight, output.bias)
        read = partial(write_embedding, embedding)
        blocks.enter_stack(decoder.entry, embedding.width, read, step=True)
        for place, layer in enumerate(layers):
            if isinstance(layer, DecoderLayer):
                self._attend_ancestry(blocks, layer, place)
            else:
                blocks.recur(layer, place, len(layers))
            source, attention = blocks.enter(layer.memory_residual), layer.memory_attention
            queries, attended = blocks.queries(attention), blocks.attended(attention)
            program.linear(source, queries, attention.query.weight, attention.query.bias)
            program.memory_attention(
                queries,
                attended,
                heads=heads_of(attention),
                value_width=attention.head_width,
                keys=f"memory_key.{place}",
                values=f"memory_value.{place}",
                lengths="lengths",
                factor=1 / math.sqrt(attention.head_width),
                weights="attention" if place + 1 == len(layers) else None,
            )
            blocks.leave(layer.memory_residual, attended, attention.output)
            blocks.feed_forward(layer)
        norm(program, decoder.norm, blocks.stream, blocks.entered)
        write_output(program, output, blocks.entered)
        if pointer is not None:
            write_copying(program, pointer, embedding, blocks.entered)
        return program

    def _attend_ancestry(self, blocks: Blocks, layer: DecoderLayer, place: int) -> None:
        source = blocks.enter(layer.attention_residual)
        together = blocks.queries_keys_values(layer.attention, source)
        attended = blocks.attended(layer.attention)
        blocks.program.ancestry_attention(
            together,
            attended,
            before=sum(self.cached[:place]),
            heads=heads_of(layer.attention),
            cache="cache",
            table="table",
            rotary=("cosines", "sines") if layer.rotary else None,
            bias="bias" if self._decoder.relative is not None else None,
        )
        blocks.leave(layer.attention_residual, attended, layer.attention.output)

    def noted(self) -> dict[str, Any] | None:
        """What it is, as data; None where it cannot be made of that."""
        note, positions = self._program.note, self._positions.noted()
        memory = self.prepare.noted()
        whole = self._decoder.relative is None
        if note is None or positions is None or memory is None or not whole:
            return None
        return {
            "kind": "transformer",
            "program": note.number,
            "memory": memory,
            "positions": positions,
            "cached": [*self.cached],
            "recurrent": self._recurrent,
            "width": self._decoder.width,
            "head_width": self._head_width,
        }

    def first_rows(self, memory: Memory) -> dict[str, Tensor]:
        """The cells of recurrent layers, zero; else there is no state before the first token."""
        if not self._recurrent:
            return {}
        return {"cells": torch.zeros(len(memory.mask), self._recurrent, self._decoder.width)}

    def run(self, tensors: Mapping[str, Tensor], extent: Extent) -> None:
        """One token of every row; raises ModelError beyond the last learned position."""
        tables = self.tables(extent.position + 1)
        distances = tables["bias"].shape[1] if "bias" in tables else 0
        self.runner.run({**tensors, **tables}, replace(extent, distances=distances))

    def tables(self, count: int) -> dict[str, Tensor]:
        """What tells the first ``count`` positions apart, or more; raises ModelError likewise."""
        tables = self._positions.tables(count, self._decoder.width, self._head_width)
        if self._decoder.relative is not None:
            tables["bias"] = self._by_distance(self._decoder.relative, count)
        return tables

    def _by_distance(self, relative: RelativeBias, count: int) -> Tensor:
        """Float32 ``[H, ≥ count]``: the bias of keys …, 1, 0 positions back."""
        found = self._distances  # which another thread may replace by a shorter one
        if found is None or found.shape[1] < count:
            room = table_room(count)
            found = self._distances = relative(1, room, room - 1)[:, 0].float().contiguous()
        return found


class _Positions:
    """The tables that tell a stack where its tokens stand."""

    def __init__(self, positions: nn.Module | None, notes: Notes | None) -> None:
        self._positions = positions
        self._name: str | None = None
        self._tables: tuple[int, dict[str, Tensor]] = (0, {})
        if isinstance(positions, LearnedPositions):
            self._tables = len(positions.weight), {"positions": plain(positions.weight)}
            self._name = None if notes is None else notes.name(positions.weight)

    def noted(self) -> dict[str, Any] | None:
        """What they are, as data; None where they cannot be made of that."""
        if isinstance(self._positions, LearnedPositions):
            return None if self._name is None else {"kind": "learned", "weight": self._name}
        return {"kind": self._kind()}

    @property
    def known(self) -> int | None:
        """How many positions there are; None: as many as asked for."""
        if isinstance(self._positions, LearnedPositions):
            return len(self._positions.weight)
        return None

    def tables(self, count: int, width: int, head_width: int) -> dict[str, Tensor]:
        """``positions`` ``[≥ count, D]``, ``cosines`` and ``sines`` ``[≥ count, d]``.

        Raises ModelError where learned positions end before ``count``.
        """
        if isinstance(self._positions, LearnedPositions):
            self._positions.refuse_beyond(count)
            return dict(self._tables[1])
        found = self._tables  # which another thread may replace by shorter ones
        if found[0] < count:
            room = table_room(count)
            found = self._tables = room, self._made(room, width, head_width)
        return dict(found[1])

    def _made(self, count: int, width: int, head_width: int) -> dict[str, Tensor]:
        tables = position_tables(self._kind(), count, width, head_width)
        return {name: torch.from_numpy(table) for name, table in tables.items()}

    def _kind(self) -> str:
        if not isinstance(self._positions, SinusoidalPositions):
            return "rotary"
        return "fairseq" if self._positions.table is fairseq_table else "sinusoidal"
