"""Recurrent encoders and decoders."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor, nn

from transduce.errors import ConfigError
from transduce.interfaces import Memory, Source
from transduce.models.state import DecoderState
from transduce.modules.attention_scores import Attention, AttentionKind, make_attention
from transduce.modules.dropout import Dropout
from transduce.modules.functional import linear
from transduce.modules.recurrent import RecurrentEncoderLayer, RecurrentKind, RecurrentStack, States

__all__ = ["Bridge", "BridgeKind", "RecurrentDecoder", "RecurrentEncoder"]

BridgeKind = Literal["zero", "copy", "dense"]


class RecurrentEncoder(nn.Module):
    """Recurrent layers over the source, in one or both directions.

    ``width`` is that of the memory, both directions together. Raises ConfigError
    where it cannot be halved.
    """

    def __init__(
        self,
        input_width: int,
        *,
        kind: RecurrentKind,
        width: int,
        layers: int,
        bidirectional: bool,
        dropout: float,
    ) -> None:
        super().__init__()
        if bidirectional and width % 2:
            raise ConfigError(
                "model.encoder.width must be even where model.encoder.bidirectional is true; "
                f"got {width}"
            )
        self.width = width
        self.layers = nn.ModuleList(
            RecurrentEncoderLayer(
                input_width if layer == 0 else width,
                kind=kind,
                width=width,
                bidirectional=bidirectional,
            )
            for layer in range(layers)
        )
        self.dropout = Dropout(dropout)

    def forward(self, vectors: Tensor, source: Source) -> Memory:
        """Vectors ``[B, S, E]`` to a memory of vectors ``[B, S, D]``, zero at padding.

        Its summary ``[B, layers, D]`` holds each layer's last states: after the last real position,
        and for the backward direction after position 0.
        """
        summary: list[Tensor] = []
        for number, layer in enumerate(self.layers):
            if number:
                vectors = self.dropout(vectors)
            vectors, last = layer(vectors, source.lengths)
            summary.append(last)
        mask = source.mask
        vectors = self.dropout(vectors.masked_fill(~mask[:, :, None], 0.0))
        tokens = source.values if source.is_tokens else None
        return Memory(vectors, mask, tokens, torch.stack(summary, dim=1))


class Bridge(nn.Module):
    """The decoder's first states from the memory's summary ``[B, L', M]``.

    ``zero``: zeros. ``copy``: the summary as it is, an LSTM's cells zero; layers
    and widths must agree, else ConfigError. ``dense``: ``h = tanh(W s + b)`` for each layer
    (Bahdanau et al. 2015, appendix A.2.2), cells ``c = W' s + b'``; where the numbers of
    layers differ, every decoder layer reads the last summary layer.
    """

    def __init__(
        self,
        kind: BridgeKind,
        *,
        cells: bool,
        width: int,
        layers: int,
        memory_width: int,
        memory_layers: int,
    ) -> None:
        super().__init__()
        if kind == "copy" and (memory_width, memory_layers) != (width, layers):
            raise ConfigError(
                "model.decoder.bridge must be dense where encoder and decoder differ in width or "
                f"layers ({memory_width} x {memory_layers} and {width} x {layers}); got copy"
            )
        self.kind = kind
        self.cells = cells
        self.width = width
        self.layers = layers
        count = layers if kind == "dense" else 0
        self.hidden = nn.ModuleList(linear(memory_width, width, bias=True) for _ in range(count))
        self.cell = nn.ModuleList(
            linear(memory_width, width, bias=True) for _ in range(count if cells else 0)
        )

    def forward(self, summary: Tensor) -> States:
        """``[B, L', M]`` to hidden states ``[B, L, D]`` and, for an LSTM, cells."""
        zero = summary.new_zeros(summary.shape[0], self.layers, self.width)
        if self.kind == "dense":
            hidden = torch.tanh(self._project(self.hidden, summary))
            return (hidden, self._project(self.cell, summary)) if self.cells else (hidden,)
        hidden = summary if self.kind == "copy" else zero
        return (hidden, zero) if self.cells else (hidden,)

    def _project(self, projections: nn.ModuleList, summary: Tensor) -> Tensor:
        per_layer = summary.shape[1] == self.layers
        return torch.stack(
            [
                project(summary[:, number if per_layer else -1])
                for number, project in enumerate(projections)
            ],
            dim=1,
        )


class RecurrentDecoder(nn.Module):
    """Recurrent layers over the target with attention over the memory (Luong et al. 2015).

    ``h_t`` is the top layer's hidden state, ``c_t`` the attention's context for it, and the
    output is ``tanh(W [h_t; c_t])``. With ``input_feeding`` the output before is joined to
    each input, which takes one step at a time; without it the whole target runs
    through the fused kernels at once. ``attention`` none: the output is ``h_t`` and the
    source reaches it through the first state alone (Sutskever et al. 2014).

    State rows: ``hidden`` ``[N, L, D]``, ``cell`` (LSTM) the same, ``output`` ``[N, D]`` (input
    feeding). Sentences: what the attention prepares, ``keys`` at least.

    Raises ConfigError where the source could not reach the decoder, where there is no attention
    to feed, and where ``heads`` does not divide ``width``.
    """

    def __init__(
        self,
        input_width: int,
        *,
        kind: RecurrentKind,
        width: int,
        layers: int,
        attention: AttentionKind | Literal["none"],
        heads: int,
        input_feeding: bool,
        bridge: BridgeKind,
        dropout: float,
        memory_width: int,
        memory_layers: int,
    ) -> None:
        super().__init__()
        _check(width, attention, heads, input_feeding, bridge)
        self.width = width
        self.memory_width = memory_width
        self.input_feeding = input_feeding
        self.state_names = ("hidden", "cell") if kind == "lstm" else ("hidden",)
        self.bridge = Bridge(
            bridge,
            cells=kind == "lstm",
            width=width,
            layers=layers,
            memory_width=memory_width,
            memory_layers=memory_layers,
        )
        self.stack = RecurrentStack(
            input_width + width if input_feeding else input_width,
            kind=kind,
            width=width,
            layers=layers,
            dropout=dropout,
        )
        self.attention: Attention | None = None
        if attention != "none":
            self.attention = make_attention(
                attention, query_width=width, memory_width=memory_width, heads=heads
            )
            self.combine = linear(width + self.attention.width, width, bias=False)
        self.dropout = Dropout(dropout)

    def start(self, memory: Memory, *, attention: bool = False) -> DecoderState:
        """The state before the first token, N = B rows; ``attention`` keeps weights each step.

        Where the decoder has no attention there are no weights to keep.
        """
        rows = dict(zip(self.state_names, self.bridge(memory.summary), strict=True))
        if self.input_feeding:
            rows["output"] = memory.vectors.new_zeros(memory.vectors.shape[0], self.width)
        sentences = {} if self.attention is None else self.attention.prepare(memory.vectors)
        return DecoderState(memory, sentences, rows, keep_attention=attention)

    def step(self, vectors: Tensor, state: DecoderState) -> tuple[Tensor, DecoderState]:
        """Read ``[N, T, E]``, give ``[N, T, D]`` and the state after."""
        if self.input_feeding:
            return self._feed(vectors, state)
        hidden, states = self.stack(vectors, self._states(state.rows))
        outputs, weights = self._attend(hidden, state)
        rows = dict(zip(self.state_names, states, strict=True))
        return self.dropout(outputs), state.advance(rows, vectors.shape[1], weights)

    def _feed(self, vectors: Tensor, state: DecoderState) -> tuple[Tensor, DecoderState]:
        states, output = self._states(state.rows), state.rows["output"]
        outputs: list[Tensor] = []
        weights: list[Tensor] = []
        for vector in vectors.unbind(dim=1):
            fed = torch.cat([vector, output], dim=-1)[:, None]
            hidden, states = self.stack(fed, states)
            attended, weight = self._attend(hidden, state)
            output = self.dropout(attended)[:, 0]
            outputs.append(output)
            if weight is not None:
                weights.append(weight)
        rows = dict(zip(self.state_names, states, strict=True)) | {"output": output}
        kept = torch.cat(weights, dim=1) if state.keep_attention else None
        return torch.stack(outputs, dim=1), state.advance(rows, vectors.shape[1], kept)

    def _attend(self, hidden: Tensor, state: DecoderState) -> tuple[Tensor, Tensor | None]:
        """Hidden states ``[N, T, D]`` to outputs ``[N, T, D]`` and weights ``[N, T, S]``."""
        if self.attention is None:
            return hidden, None
        memory = state.memory
        N, T, _ = hidden.shape
        B, S, _ = memory.vectors.shape
        # The K rows of a sentence are K·T queries over its one memory.
        queries = hidden.reshape(B, N // B * T, self.width)  # [B, K·T, D]
        contexts, weights = self.attention(queries, state.sentences, memory.vectors, memory.mask)
        joined = torch.cat([hidden, contexts.reshape(N, T, -1)], dim=-1)  # [N, T, D + M]
        # [B, K·T, S] → [N, T, S]
        return torch.tanh(self.combine(joined)), weights.reshape(N, T, S)

    def _states(self, rows: Mapping[str, Tensor]) -> States:
        return tuple(rows[name] for name in self.state_names)


def _check(width: int, attention: str, heads: int, input_feeding: bool, bridge: str) -> None:
    if attention == "none" and bridge == "zero":
        raise ConfigError(
            "model.decoder.bridge must be copy or dense where model.decoder.attention is none "
            "(nothing of the source would reach the decoder); got zero"
        )
    if attention == "none" and input_feeding:
        raise ConfigError(
            "model.decoder.input_feeding must be false where model.decoder.attention is none; "
            "got true"
        )
    if attention == "multihead" and width % heads:
        raise ConfigError(
            f"model.decoder.width must be a multiple of model.decoder.heads ({heads}); got {width}"
        )
