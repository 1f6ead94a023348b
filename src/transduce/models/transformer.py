"""Transformer encoder and decoder (Vaswani et al. 2017) over vectors."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from transduce.interfaces import Memory, Source
from transduce.models.state import DecoderState
from transduce.modules.attention import causal_bias, padding_bias
from transduce.modules.dropout import Dropout
from transduce.modules.functional import linear
from transduce.modules.linear_attention import LinearAttention
from transduce.modules.local_attention import SelfAttention, self_attention
from transduce.modules.positions import (
    LearnedPositions,
    RelativeBias,
    SinusoidalPositions,
    fairseq_table,
)
from transduce.modules.transformer import (
    AnyDecoderLayer,
    DecoderLayer,
    EncoderLayer,
    RecurrentDecoderLayer,
    StackOptions,
)

__all__ = ["Entry", "TransformerDecoder", "TransformerEncoder", "memory_of"]


class TransformerEncoder(nn.Module):
    """A stack of self-attention and feed-forward layers over the whole source.

    ``input_width`` other than ``width`` puts an affine map in front; the vectors
    should have about unit variance. Pre-norm ends with a norm of its own. ``each`` are the options
    of every layer, where these differ in feed-forward widths or heads. Linear attention keeps sums
    over all positions and no weights (Katharopoulos et al. 2020). With a ``window`` attention
    is local, and what a position costs does not depend on how long its source is; with a
    ``global_block`` each position also sees a summary of each block of so many positions.
    """

    def __init__(
        self, input_width: int, options: StackOptions, *, each: Sequence[StackOptions] | None = None
    ) -> None:
        super().__init__()
        each = each or [options] * options.layers
        self.width = options.width
        self.linear_attention = options.linear_attention
        self.window = options.window
        self.global_block = options.global_block
        self.whole_weights = False  # local or linear attention by way of those of all positions
        self.entry = Entry(input_width, options)
        self.relative = _relative_bias(options, bidirectional=True)
        self.layers = nn.ModuleList(map(EncoderLayer, each))
        self.norm = options.make_final_norm()

    def forward(self, vectors: Tensor, source: Source) -> Memory:
        """``[B, S, E]`` to a memory of width D; its summary is the mean ``[B, 1, D]``."""
        vectors = self.entry(vectors)
        attend = self._attention(source.mask)
        for layer in self.layers:
            vectors = layer(vectors, attend)
        return memory_of(self.norm(vectors), source)

    def _attention(self, mask: Tensor) -> SelfAttention | LinearAttention:
        if self.linear_attention:
            return LinearAttention(mask, whole=self.whole_weights)
        return self_attention(
            mask,
            self.window,
            self.relative,
            global_block=self.global_block,
            by_blocks=not self.whole_weights,
        )


def memory_of(vectors: Tensor, source: Source) -> Memory:
    """Encoded vectors ``[B, S, D]`` with their mean over the real positions as the summary."""
    mask = source.mask
    real = vectors.masked_fill(~mask[:, :, None], 0)
    summary = real.sum(1, keepdim=True) / source.lengths[:, None, None]
    return Memory(vectors, mask, source.values if source.is_tokens else None, summary)


class TransformerDecoder(nn.Module):
    """A stack of layers over the target so far and the memory, one token or many at a time.

    The state keeps, for layer i, ``key.i`` and ``value.i`` ``[N, G, t, d]`` of the t
    tokens read and ``memory_key.i`` and ``memory_value.i`` ``[B, G, S, d]``, where G
    is ``key_value_heads``. ``recurrent`` layers have a simple recurrent unit in the place of
    self-attention (Kim et al. 2019), and ``cell.i`` ``[N, D]`` in that of keys and values;
    not ``rectified``, it is a minimal gated unit (Feng et al. 2024).
    ``each`` is as of :class:`TransformerEncoder`. Attention, where the state keeps it, is the last
    layer's over the memory, averaged over heads.
    """

    def __init__(
        self,
        input_width: int,
        options: StackOptions,
        *,
        memory_width: int,
        each: Sequence[StackOptions] | None = None,
        recurrent: bool = False,
        rectified: bool = True,
    ) -> None:
        super().__init__()
        self.width = options.width
        self.entry = Entry(input_width, options)
        self.relative = _relative_bias(options, bidirectional=False)
        self.layers = nn.ModuleList(
            RecurrentDecoderLayer(own, memory_width=memory_width, rectified=rectified)
            if recurrent
            else DecoderLayer(own, memory_width=memory_width)
            for own in each or [options] * options.layers
        )
        self.norm = options.make_final_norm()

    def start(self, memory: Memory, *, attention: bool = False) -> DecoderState:
        """The state before the first token; the memory's keys and values are computed here."""
        sentences = {"memory_bias": padding_bias(memory.mask)}
        for number, layer in enumerate(self._layers()):
            key, value = layer.memory_attention.project_memory(memory.vectors)
            sentences[f"memory_key.{number}"] = key
            sentences[f"memory_value.{number}"] = value
        return DecoderState(memory, sentences, rows={}, keep_attention=attention)

    def step(self, vectors: Tensor, state: DecoderState) -> tuple[Tensor, DecoderState]:
        """Read T vectors ``[N, T, E]``, give T vectors ``[N, T, D]`` and the state after them.

        Raises ModelError where learned positions end before the T-th token.
        """
        N, T, _ = vectors.shape
        vectors = self.entry(vectors, state.position)
        bias = self._bias(T, state.position, vectors.device)
        rows: dict[str, Tensor] = {}
        weights = None
        for number, layer in enumerate(self._layers()):
            past = None
            if state.position:
                past = tuple(state.rows[f"{name}.{number}"] for name in layer.past_names)
            vectors, past, weights = layer(
                vectors,
                past,
                (
                    state.sentences[f"memory_key.{number}"],
                    state.sentences[f"memory_value.{number}"],
                ),
                bias=bias,
                memory_bias=state.sentences["memory_bias"],
            )
            rows |= {f"{n}.{number}": kept for n, kept in zip(layer.past_names, past, strict=True)}
        attention = None
        if state.keep_attention and weights is not None:
            # [B, H, K·T, S] → [B, K·T, S] → [N, T, S]
            attention = weights.mean(1).view(N, T, -1)
        return self.norm(vectors), state.advance(rows, T, attention)

    def _bias(self, steps: int, position: int, device: torch.device) -> Tensor | None:
        keys = position + steps
        # One token sees all that came before it: there is nothing to hide.
        bias = causal_bias(steps, keys, device) if steps > 1 else None
        if self.relative is not None:
            relative: Tensor = self.relative(steps, keys, position)
            bias = relative if bias is None else relative + bias
        return bias

    def _layers(self) -> list[AnyDecoderLayer]:
        return [layer for layer in self.layers if isinstance(layer, AnyDecoderLayer)]


class Entry(nn.Module):
    """What vectors pass before the first layer: width, positions, a norm if any, dropout."""

    def __init__(self, input_width: int, options: StackOptions) -> None:
        super().__init__()
        width = options.width
        self.project = linear(input_width, width, bias=True) if input_width != width else None
        self.positions = _added_positions(options)
        self.norm = options.make_norm() if options.embedding_norm else None
        self.dropout = Dropout(options.dropout)

    def forward(self, vectors: Tensor, start: int = 0) -> Tensor:
        """``[N, T, E]``, the first at position ``start``, to ``[N, T, D]``."""
        if self.project is not None:
            # Back to the dtype that came in: under autocast the residual stream stays float32.
            vectors = self.project(vectors).to(vectors.dtype)
        if self.positions is not None:
            vectors = self.positions(vectors, start)
        if self.norm is not None:
            vectors = self.norm(vectors)
        entered: Tensor = self.dropout(vectors)
        return entered


def _relative_bias(options: StackOptions, *, bidirectional: bool) -> RelativeBias | None:
    if options.positions != "relative":
        return None
    return RelativeBias(options.heads, bidirectional=bidirectional)


def _added_positions(options: StackOptions) -> nn.Module | None:
    match options.positions:
        case "sinusoidal":
            return SinusoidalPositions()
        case "fairseq":
            return SinusoidalPositions(fairseq_table)
        case "learned":
            return LearnedPositions(options.max_positions, options.width)
        case "rotary" | "relative" | "none":
            return None
