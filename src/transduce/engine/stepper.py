"""A trained model in its fast form, behind the same interface as the model itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor

from transduce.engine.program import Extent
from transduce.interfaces import END, Candidates, Memory, Source
from transduce.models.copying import PointerGenerator
from transduce.models.seq2seq import Embedding

__all__ = ["Cache", "EngineState", "EngineStepper", "NativeDecoder", "NativeEncoder"]

_FIRST_POSITIONS = 32


class NativeEncoder(Protocol):
    """A padded batch to its memory."""

    def __call__(self, source: Source) -> Memory:
        """Encode."""
        ...


class NativeDecoder(Protocol):
    """One token of every row at a time. ``heads`` are H, G, d of the layers that keep a cache."""

    layers: int  # that keep keys and values of what was read; 0 for a recurrent decoder
    heads: tuple[int, int, int]
    stored: torch.dtype

    def prepare(self, memory: Memory) -> dict[str, Tensor]:
        """What every step reads of B sentences."""
        ...

    def first_rows(self, memory: Memory) -> dict[str, Tensor]:
        """What each row carries from step to step, before the first; dimension 0 counts rows."""
        ...

    def run(self, tensors: Mapping[str, Tensor], extent: Extent) -> None:
        """Read ``tokens``; change the rows' tensors in place; write what was asked for."""
        ...


class Cache:
    """Keys and values of the tokens read, ``[L, 2, t, capacity, G·d]``, written once each.

    ``written`` positions hold something. A state that is not the newest has its own copy made
    before it goes on, so that states stay what they were.
    """

    def __init__(self, values: Tensor, written: int = 0) -> None:
        self.values = values
        self.written = written

    @classmethod
    def empty(cls, decoder: NativeDecoder, rows: int, positions: int) -> Cache:
        """Room for ``rows`` at each of ``positions``."""
        _, pairs, width = decoder.heads
        shape = (decoder.layers, 2, positions, rows, pairs * width)
        return cls(torch.empty(shape, dtype=decoder.stored))

    def resized(self, positions: int, rows: int) -> Cache:
        """A copy with room for more."""
        layers, two, _, before, width = self.values.shape
        values = self.values.new_empty((layers, two, positions, rows, width))
        values[:, :, : self.written, :before] = self.values[:, :, : self.written]
        return Cache(values, self.written)

    def up_to(self, position: int) -> Cache:
        """A copy of the first positions."""
        return Cache(self.values.clone(), position)


@dataclass(frozen=True, slots=True)
class EngineState:
    """Tensors by what their first dimension counts, like ``DecoderState``.

    ``sentences`` counts B, ``rows`` N = B·K. ``table`` int32 ``[N, t]`` says at which place of each
    position's cache a row's ancestor wrote.
    """

    memory: Memory
    sentences: Mapping[str, Tensor]
    rows: Mapping[str, Tensor]
    table: Tensor
    cache: Cache
    position: int = 0
    beams: int = 1
    keep_attention: bool = False
    attention: Tensor | None = None

    def expand(self, beams: int) -> EngineState:
        """From N rows to N·beams, each row ``beams`` times in a line."""
        if beams == 1:
            return self
        cache = self.cache
        rows = len(self.table) * beams
        if cache.values.shape[0] and rows > cache.values.shape[3]:
            cache = cache.resized(cache.values.shape[2], rows)
        return replace(
            self,
            rows={name: t.repeat_interleave(beams, dim=0) for name, t in self.rows.items()},
            table=self.table.repeat_interleave(beams, dim=0),
            cache=cache,
            attention=None
            if self.attention is None
            else self.attention.repeat_interleave(beams, dim=0),
            beams=self.beams * beams,
        )

    def reorder(self, rows: Tensor) -> EngineState:
        """Row n becomes what row ``rows[n]`` was (int64 ``[N]``, within its own sentence)."""
        return replace(
            self,
            rows={name: t.index_select(0, rows) for name, t in self.rows.items()},
            table=self.table.index_select(0, rows),
            attention=None if self.attention is None else self.attention.index_select(0, rows),
        )

    def select(self, sentences: Tensor) -> EngineState:
        """Keep the sentences with these numbers (int64 ``[B']``), all their rows."""
        offsets = torch.arange(self.beams, device=sentences.device)
        kept = replace(
            self,
            memory=self.memory.select(sentences),
            sentences={name: t.index_select(0, sentences) for name, t in self.sentences.items()},
        )
        return kept.reorder((sentences[:, None] * self.beams + offsets).flatten())


class EngineStepper:
    """A ``Proposer``: encoder and decoder in native programs."""

    def __init__(
        self,
        encoder: NativeEncoder,
        decoder: NativeDecoder,
        *,
        vocabulary: int,
        width: int,
        target_embedding: Embedding,
        pointer: PointerGenerator | None,
    ) -> None:
        self._encoder = encoder
        self._decoder = decoder
        self._vocabulary = vocabulary
        self._width = width
        self._target_embedding = target_embedding
        self._pointer = pointer

    @torch.no_grad()
    def start(self, source: Source, *, attention: bool = False) -> EngineState:
        """Encode once; the state has N = B rows."""
        memory = self._encoder(source)
        count = len(source.lengths)
        positions = _FIRST_POSITIONS if self._decoder.layers else 0
        return EngineState(
            memory,
            self._decoder.prepare(memory),
            self._decoder.first_rows(memory),
            torch.zeros(count, positions, dtype=torch.int32),
            Cache.empty(self._decoder, count, positions),
            keep_attention=attention or self._pointer is not None,
        )

    @torch.no_grad()
    def step(self, tokens: Tensor, state: EngineState) -> tuple[Tensor, EngineState]:
        """Read int64 ``[N, T]``, give logits ``[N, T, V]`` for the token after each."""
        steps, weights = [], []
        for column in tokens.unbind(dim=1):
            logits, state = self._logits(column.contiguous(), state)
            steps.append(logits)
            if state.attention is not None:
                weights.append(state.attention)
        if weights:
            state = replace(state, attention=torch.cat(weights, dim=1))
        return torch.stack(steps, dim=1), state

    @torch.no_grad()
    def propose(
        self, tokens: Tensor, state: EngineState, count: int
    ) -> tuple[Candidates, EngineState]:
        """Read int64 ``[N, 1]``, give the ``count`` most probable tokens of each row."""
        column, count = tokens[:, 0].contiguous(), min(count, self._vocabulary - END)
        if self._pointer is not None:
            log_probs, state = self._logits(column, state)  # a pointer's logits are normalized
            # END is the first of the symbols that an output may hold.
            found = log_probs[:, END:].sort(dim=1, descending=True, stable=True)
            best, places = found.values[:, :count], found.indices[:, :count] + END
            return Candidates(best, places), state
        rows = len(column)
        scores = torch.empty(rows, count)
        chosen = torch.empty(rows, count, dtype=torch.int64)
        state = self._run(column, state, {"scores": scores, "chosen": chosen}, candidates=count)
        return Candidates(scores, chosen), state

    def _logits(self, tokens: Tensor, state: EngineState) -> tuple[Tensor, EngineState]:
        logits = torch.empty(len(tokens), self._vocabulary)
        outputs = torch.empty(len(tokens), self._width)
        state = self._run(tokens, state, {"logits": logits, "outputs": outputs}, candidates=0)
        if self._pointer is not None and state.attention is not None:
            embedded = self._target_embedding(tokens[:, None])
            logits = self._pointer(
                logits[:, None], outputs[:, None], embedded, state.attention, state.memory.tokens
            )[:, 0]
        return logits, state

    def _run(
        self, tokens: Tensor, state: EngineState, wanted: dict[str, Tensor], *, candidates: int
    ) -> EngineState:
        rows, position = len(tokens), state.position
        sentences, source = state.memory.tokens.shape
        state = _with_room(state, self._decoder, rows)
        attention = None
        if state.keep_attention:
            attention = torch.zeros(rows, 1, source)
            wanted = {**wanted, "attention": attention}
        # The steps write in place; what came in must stay.
        carried = {name: tensor.clone() for name, tensor in state.rows.items()}
        cache = state.cache
        self._decoder.run(
            {
                **state.sentences,
                **carried,
                **wanted,
                "tokens": tokens,
                "table": state.table,
                "cache": cache.values,
            },
            Extent(
                rows=rows,
                sentences=sentences,
                source=source,
                position=position,
                candidates=candidates,
                capacity=cache.values.shape[3],
                ancestry=state.table.shape[1],
            ),
        )
        cache.written = max(cache.written, position + 1)
        return replace(state, rows=carried, position=position + 1, attention=attention)


def _with_room(state: EngineState, decoder: NativeDecoder, rows: int) -> EngineState:
    """The state with a place to write this position into that no other state reads."""
    if not decoder.layers:
        return state
    cache, table = state.cache, state.table
    room = table.shape[1]
    if state.position == room:
        room *= 2
        cache = cache.resized(room, cache.values.shape[3])
        table = torch.cat([table, torch.zeros_like(table)], dim=1)
    elif cache.written > state.position:
        cache = cache.up_to(state.position)
        table = table.clone()
    if cache is state.cache:
        return state
    return replace(state, cache=cache, table=table)
