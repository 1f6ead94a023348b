"""A trained model in its fast form, behind the same interface as the model itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch
from torch import Tensor

from transduce.errors import ModelError
from transduce.interfaces import END, BeamPlan, Candidates, Ended, Memory, Source
from transduce.kernels.running.native_search import (
    SearchedDecoder,
    search,
    search_groups,
    searched_apart,
)
from transduce.kernels.running.notes import Notes
from transduce.kernels.running.runner import Extent
from transduce.models.state import DecoderState

__all__ = [
    "EngineState",
    "EngineStepper",
    "KeyValueCache",
    "NativeDecoder",
    "NativeEncoder",
    "NativeListener",
]

_FIRST_POSITIONS = 32


class NativeEncoder(Protocol):
    """A padded batch to its memory."""

    def __call__(self, source: Source) -> Memory:
        """Encode."""
        ...

    def noted(self) -> dict[str, Any] | None:
        """What it is, as data; None where it cannot be made of that."""
        ...


class NativeListener(Protocol):
    """A memory to the log-probabilities of a second output on it."""

    def __call__(self, memory: Memory) -> Tensor:
        """Float32 ``[B, S·K, V]``, as :class:`~transduce.models.ctc.CTCOutput` gives them."""
        ...


class NativeDecoder(SearchedDecoder, Protocol):
    """One token of every row at a time."""

    stored: torch.dtype  # of keys and values
    attends: bool  # whether there are weights over the memory to keep

    def noted(self) -> dict[str, Any] | None:
        """What it is, as data; None where it cannot be made of that."""
        ...

    @property
    def prepare(self) -> Callable[[Memory], dict[str, Tensor]]:
        """Gives what every step reads of B sentences."""
        ...

    def first_rows(self, memory: Memory) -> dict[str, Tensor]:
        """What each row carries from step to step, before the first; dimension 0 counts rows."""
        ...

    def run(self, tensors: Mapping[str, Tensor], extent: Extent) -> None:
        """Read ``tokens``; change the rows' tensors in place; write what was asked for."""
        ...


class KeyValueCache:
    """Keys and values of the tokens read, written once each.

    ``values`` holds one layer after the other, ``[2, t, capacity, width]`` of each, where widths
    are G·d. ``written`` positions hold something. A state that is not the newest has its own copy
    made before it goes on, so that states stay what they were.
    """

    def __init__(
        self, values: Tensor, widths: Sequence[int], capacity: int, written: int = 0
    ) -> None:
        self.values = values
        self.capacity = capacity  # rows that there is room for at each position
        self.written = written
        self._widths = widths

    @classmethod
    def empty(cls, decoder: NativeDecoder, rows: int, positions: int) -> KeyValueCache:
        """Room for ``rows`` at each of ``positions``."""
        size = 2 * sum(decoder.cached) * positions * rows
        return cls(torch.empty(size, dtype=decoder.stored), decoder.cached, rows)

    def resized(self, positions: int, rows: int) -> KeyValueCache:
        """A copy with room for more."""
        size = 2 * sum(self._widths) * positions * rows
        grown = KeyValueCache(self.values.new_empty(size), self._widths, rows, self.written)
        for after, before in zip(grown._layers(), self._layers(), strict=True):
            after[:, : self.written, : self.capacity] = before[:, : self.written]
        return grown

    def up_to(self, position: int) -> KeyValueCache:
        """A copy of the first positions."""
        return KeyValueCache(self.values.clone(), self._widths, self.capacity, position)

    def _layers(self) -> list[Tensor]:
        """``[2, t, capacity, width]`` of each."""
        positions = len(self.values) // max(1, 2 * sum(self._widths) * self.capacity)
        sizes = [2 * positions * self.capacity * width for width in self._widths]
        return [
            layer.view(2, positions, self.capacity, width)
            for layer, width in zip(torch.split(self.values, sizes), self._widths, strict=True)
        ]


@dataclass(frozen=True, slots=True)
class EngineState:
    """A decoder's state, and the cache that its row ``table`` points into.

    ``table`` int32 ``[N, t]`` says at which place of each position's cache a row's ancestor wrote.
    """

    decoder: DecoderState
    cache: KeyValueCache

    @property
    def position(self) -> int:
        """Tokens read so far."""
        return self.decoder.position

    @property
    def attention(self) -> Tensor | None:
        """Weights over the source at the last step, ``[N, T, S]``; None unless asked for."""
        return self.decoder.attention

    @property
    def mask(self) -> Tensor:
        """Bool ``[B, S]``, true where the memory holds something real."""
        return self.decoder.mask

    def expand(self, beams: int) -> EngineState:
        """From N rows to N·beams, each row ``beams`` times in a line."""
        decoder, cache = self.decoder.expand(beams), self.cache
        rows = len(decoder.rows["table"])
        if rows > cache.capacity:
            cache = cache.resized(decoder.rows["table"].shape[1], rows)
        return EngineState(decoder, cache)

    def reorder(self, rows: Tensor) -> EngineState:
        """Row n becomes what row ``rows[n]`` was (int64 ``[N]``, within its own sentence)."""
        return EngineState(self.decoder.reorder(rows), self.cache)

    def select(self, sentences: Tensor) -> EngineState:
        """Keep the sentences with these numbers (int64 ``[B']``), all their rows."""
        return EngineState(self.decoder.select(sentences), self.cache)


class EngineStepper:
    """A ``Proposer`` and a ``Searcher``: encoder and decoder in native programs."""

    def __init__(
        self,
        encoder: NativeEncoder,
        decoder: NativeDecoder,
        *,
        vocabulary: int,
        copied: Tensor | None = None,
        listener: NativeListener | None = None,
        notes: Notes | None = None,
    ) -> None:
        """``copied`` int64 ``[V_source]``: the target's symbol of each of the source's, if any."""
        self._encoder = encoder
        self._decoder = decoder
        self.vocabulary = vocabulary
        self._copied = copied
        self._listener = listener
        self._notes = notes

    def noted(self) -> dict[str, Any] | None:
        """All programs as data, of which whole searches can be made without torch; None where that
        cannot be (``transduce.light``).
        """
        encoder, decoder, notes = self._encoder.noted(), self._decoder.noted(), self._notes
        if self._copied is not None or notes is None or not notes.whole:
            return None
        if encoder is None or decoder is None:
            return None
        parts = {"encoder": encoder, "decoder": decoder, "vocabulary": self.vocabulary}
        return {**notes.as_data(), **parts}

    @torch.no_grad()
    def start(self, source: Source, *, attention: bool = False) -> EngineState:
        """Encode once; the state has N = B rows."""
        memory = self._encoder(source)
        count = len(source.lengths)
        positions = _FIRST_POSITIONS if self._decoder.cached else 0
        table = torch.zeros(count, positions, dtype=torch.int32)
        wanted = attention or self._copied is not None
        decoder = DecoderState(
            memory,
            self._prepared(memory),
            {**self._decoder.first_rows(memory), "table": table},
            keep_attention=wanted and self._decoder.attends,
        ).within(source)
        return EngineState(decoder, KeyValueCache.empty(self._decoder, count, positions))

    @torch.no_grad()
    def ctc_log_probs(self, state: EngineState) -> Tensor | None:
        """Log-probabilities of the CTC output, float32 ``[B, S·K, V]``; None without one."""
        return None if self._listener is None else self._listener(state.decoder.memory)

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
            decoder = replace(state.decoder, attention=torch.cat(weights, dim=1))
            state = replace(state, decoder=decoder)
        return torch.stack(steps, dim=1), state

    @torch.no_grad()
    def propose(
        self, tokens: Tensor, state: EngineState, count: int
    ) -> tuple[Candidates, EngineState]:
        """Read int64 ``[N, 1]``, give the ``count`` most probable tokens of each row."""
        column, count = tokens[:, 0].contiguous(), min(count, self.vocabulary - END)
        if self._copied is not None:
            logits, state = self._logits(column, state)
            # END is the first of the symbols that an output may hold.
            found = logits.log_softmax(dim=1)[:, END:].sort(dim=1, descending=True, stable=True)
            best, places = found.values[:, :count], found.indices[:, :count] + END
            return Candidates(best, places), state
        rows = len(column)
        scores = torch.empty(rows, count)
        chosen = torch.empty(rows, count, dtype=torch.int64)
        state = self._run(column, state, {"scores": scores, "chosen": chosen}, candidates=count)
        return Candidates(scores, chosen), state

    @torch.no_grad()
    def search(
        self, source: Source, plan: BeamPlan, state: EngineState | None = None
    ) -> list[list[Ended]] | None:
        """All steps of a search in one call; None for a model that copies.

        ``state``, that before the first token, spares the encoder its work.
        """
        if self._copied is not None:
            return None
        groups = search_groups(self._decoder.runner, source.lengths.tolist())
        fits = len(plan.least) == len(plan.most) == len(source.lengths)
        if state is not None or len(groups) == 1 or not fits:  # which is refused
            return self._search(source, plan, state)
        return searched_apart(
            groups,
            lambda places: self._search(
                source.select(torch.tensor(places)), plan.select(places), None
            ),
        )

    def _search(
        self, source: Source, plan: BeamPlan, state: EngineState | None
    ) -> list[list[Ended]]:
        memory = self._encoder(source) if state is None else state.decoder.memory
        prepared = self._prepared(memory) if state is None else state.decoder.sentences
        given = source if state is None else state.decoder
        rows = self._decoder.first_rows(memory)
        shortlist, unlisted = given.shortlist, given.unlisted
        return search(
            self._decoder,
            prepared,
            {name: row.contiguous() for name, row in rows.items()},
            plan,
            source_length=memory.mask.shape[1],
            shortlist=None if shortlist is None else shortlist.contiguous(),
            unlisted=None if unlisted is None else unlisted.contiguous(),
        )

    def _prepared(self, memory: Memory) -> dict[str, Tensor]:
        prepared = self._decoder.prepare(memory)
        if self._copied is not None:
            if memory.tokens is None:
                raise ModelError("source must be tokens for a model that copies; got frames")
            prepared["symbols"] = self._copied[memory.tokens]
        return prepared

    def _logits(self, tokens: Tensor, state: EngineState) -> tuple[Tensor, EngineState]:
        logits = torch.empty(len(tokens), self.vocabulary)
        return logits, self._run(tokens, state, {"logits": logits}, candidates=0)

    def _run(
        self, tokens: Tensor, state: EngineState, wanted: dict[str, Tensor], *, candidates: int
    ) -> EngineState:
        state = _with_room(state, self._decoder)
        decoder, cache = state.decoder, state.cache
        sentences, source = decoder.memory.mask.shape
        attention = None
        if decoder.keep_attention:
            attention = torch.zeros(len(tokens), 1, source)
            wanted = {**wanted, "attention": attention}
        # The steps write in place; what came in must stay.
        rows = {name: tensor.clone() for name, tensor in decoder.rows.items()}
        self._decoder.run(
            {**decoder.sentences, **rows, **wanted, "tokens": tokens, "cache": cache.values},
            Extent(
                rows=len(tokens),
                sentences=sentences,
                source=source,
                position=decoder.position,
                candidates=candidates,
                capacity=cache.capacity,
                ancestry=rows["table"].shape[1],
                listed=0 if decoder.shortlist is None else decoder.shortlist.shape[1],
            ),
        )
        after = decoder.advance(rows, 1, attention)
        cache.written = max(cache.written, after.position)
        return EngineState(after, cache)


def _with_room(state: EngineState, decoder: NativeDecoder) -> EngineState:
    """The state with a place to write this position into that no other state reads."""
    table, cache = state.decoder.rows["table"], state.cache
    if not decoder.cached:
        return state
    room = table.shape[1]
    if state.position < room:
        if cache.written > state.position:
            return replace(state, cache=cache.up_to(state.position))
        return state
    table = torch.cat([table, torch.zeros_like(table)], dim=1)
    rows = {**state.decoder.rows, "table": table}
    grown = cache.resized(2 * room, cache.capacity)
    return EngineState(replace(state.decoder, rows=rows), grown)
