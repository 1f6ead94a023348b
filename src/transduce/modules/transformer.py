"""The layers of a Transformer (Vaswani et al. 2017, section 3.1)."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor, nn

from transduce.modules.attention import MultiHeadAttention
from transduce.modules.dropout import Dropout
from transduce.modules.functional import (
    GATED,
    Activation,
    Norm,
    NormKind,
    activation,
    linear,
    make_norm,
)
from transduce.modules.gated_recurrence import MinimalGatedUnit, SimpleRecurrentUnit
from transduce.modules.linear_attention import LinearAttention
from transduce.modules.local_attention import BlockSummaries, SelfAttention
from transduce.modules.positions import rotate
from transduce.modules.selective_state_space import SelectiveStateSpace

__all__ = [
    "AnyDecoderLayer",
    "DecoderLayer",
    "EncoderLayer",
    "FeedForward",
    "LinearRecurrence",
    "LinearRecurrentEncoderLayer",
    "NormPosition",
    "Positions",
    "RecurrentDecoderLayer",
    "Residual",
    "StackOptions",
]

NormPosition = Literal["pre", "post"]
Positions = Literal["sinusoidal", "fairseq", "learned", "rotary", "relative", "none"]
LinearRecurrence = MinimalGatedUnit | SelectiveStateSpace
KeysValues = tuple[Tensor, Tensor]
Past = tuple[Tensor, ...]  # what a layer keeps of the tokens that it has read


@dataclass(frozen=True, slots=True)
class StackOptions:
    """What one stack is built from: its height ``layers``, its positions, each layer's modules.

    ``positions`` of kind ``learned`` end after ``max_positions``. Heads are ``head_width`` wide,
    or share ``width`` among them; attention over a memory has ``memory_heads``, or as many, each
    pair of keys and values read by as many heads as in self-attention. ``embedding_norm`` puts a
    norm before the first layer. ``linear_attention`` is an encoder's; with a ``window`` each of its
    positions sees so many others on either side, and with a ``global_block`` the summary of each
    block of so many positions.
    """

    width: int
    layers: int
    feedforward: int
    heads: int
    key_value_heads: int | None = None
    memory_heads: int | None = None
    head_width: int | None = None
    norm: NormKind = "layer"
    norm_epsilon: float = 1e-6
    norm_position: NormPosition = "pre"
    activation: Activation = "relu"
    positions: Positions = "sinusoidal"
    max_positions: int = 1024
    bias: bool = True
    dropout: float = 0.0
    attention_dropout: float = 0.0
    embedding_norm: bool = False
    linear_attention: bool = False
    window: int | None = None
    global_block: int | None = None

    def make_norm(self) -> Norm:
        """One of the stack's norms."""
        return make_norm(self.norm, self.width, bias=self.bias, epsilon=self.norm_epsilon)

    def make_final_norm(self) -> nn.Module:
        """What stands behind the last layer: of pre-norm a norm, else nothing."""
        return nn.Identity() if self.norm_position == "post" else self.make_norm()

    def output_gain(self, branches: int) -> float:
        """Scale of the first weights that write into the residual stream.

        With pre-norm the stream is a sum over the ``branches`` of every layer; dividing by
        the root of their number keeps its variance (Radford et al. 2019, section 2.3).
        """
        return 1 / math.sqrt(branches * self.layers) if self.norm_position == "pre" else 1.0


class Residual(nn.Module):
    """What stands around a sub-layer F: norm, dropout and sum.

    Post-norm (Vaswani et al. 2017, section 5.4): ``norm(x + dropout(F(x)))``.
    Pre-norm (Xiong et al. 2020): ``x + dropout(F(norm(x)))``.
    F reads ``enter(x)``, and ``leave(x, F(…))`` is what the next block reads.
    """

    def __init__(self, options: StackOptions) -> None:
        super().__init__()
        self.norm = options.make_norm()
        self.pre = options.norm_position == "pre"
        self.dropout = Dropout(options.dropout)

    def enter(self, vectors: Tensor) -> Tensor:
        """``[N, T, D]`` to ``[N, T, D]``."""
        entered: Tensor = self.norm(vectors) if self.pre else vectors
        return entered

    def leave(self, vectors: Tensor, output: Tensor) -> Tensor:
        """Both ``[N, T, D]`` to their sum ``[N, T, D]``."""
        total = vectors + self.dropout(output)
        left: Tensor = total if self.pre else self.norm(total)
        return left


class FeedForward(nn.Module):
    """``f(x W_1 + b_1) W_2 + b_2`` at each position (Vaswani et al. 2017, eq. 2).

    With ``swiglu`` it is ``(SiLU(x W_g) ⊙ x W_1) W_2`` (Shazeer 2020, eq. 6), with ``geglu`` the
    gate's function is GELU (there too; in the form with tanh). The inner width is then 2/3 of
    ``feedforward``, rounded up to a multiple of 8, so that three matrices have about as many
    weights as two had.
    """

    def __init__(self, options: StackOptions, *, output_gain: float) -> None:
        super().__init__()
        gated = options.activation in GATED
        inner = math.ceil(options.feedforward / 12) * 8 if gated else options.feedforward
        self.inner = linear(options.width, inner, bias=options.bias)
        self.gate = linear(options.width, inner, bias=options.bias) if gated else None
        self.output = linear(inner, options.width, bias=options.bias, gain=output_gain)
        self.activation = activation(options.activation)

    def forward(self, vectors: Tensor) -> Tensor:
        """``[..., D]`` to ``[..., D]``."""
        inner = self.inner(vectors)
        if self.gate is None:
            inner = self.activation(inner)
        else:
            inner = self.activation(self.gate(vectors)) * inner
        output: Tensor = self.output(inner)
        return output


class EncoderLayer(nn.Module):
    """Self-attention, then a feed-forward layer, each inside a :class:`Residual`.

    With a ``global_block`` keys and values also come from ``norm(m_j)``, where m_j is the mean of
    what enters at the positions of block j: the transient global tokens of Guo et al. 2022,
    section 3.1.2 (the sum there; behind the norm both are the same).
    """

    def __init__(self, options: StackOptions) -> None:
        super().__init__()
        gain = options.output_gain(branches=2)
        self.attention = _attention(options, options.width, gain)
        self.attention_residual = Residual(options)
        self.summary_norm = None if options.global_block is None else options.make_norm()
        self.feedforward = FeedForward(options, output_gain=gain)
        self.feedforward_residual = Residual(options)
        self.rotary = options.positions == "rotary"

    def forward(self, vectors: Tensor, attend: SelfAttention | LinearAttention) -> Tensor:
        """``[B, S, D]`` to ``[B, S, D]``; ``attend`` is full, local or linear attention."""
        entered = self.attention_residual.enter(vectors)
        projected = _project(self.attention, entered, self.rotary, start=0)
        drop = self.attention.dropout
        if isinstance(attend, LinearAttention):
            attended = attend(*projected, drop)  # [B, H, S, d]
        else:
            attended = attend(*projected, drop, self._of_summaries(entered, attend.summaries))
        joined = attended.transpose(1, 2).flatten(2)  # [B, S, H·d]
        vectors = self.attention_residual.leave(vectors, self.attention.output(joined))
        return _feed_forward(vectors, self.feedforward, self.feedforward_residual)

    def _of_summaries(self, entered: Tensor, summaries: BlockSummaries | None) -> KeysValues | None:
        """Their keys and values ``[B, G, M, d]``."""
        if self.summary_norm is None or summaries is None:
            return None
        return self.attention.project_memory(self.summary_norm(summaries(entered)))


class LinearRecurrentEncoderLayer(nn.Module):
    """A linear recurrence over the source and its output map in the place of self-attention.

    Then feed-forward, if any: ``feedforward`` 0 leaves that sub-layer out.
    """

    def __init__(self, options: StackOptions, recurrence: LinearRecurrence) -> None:
        super().__init__()
        gain = options.output_gain(branches=2 if options.feedforward else 1)
        self.recurrence = recurrence
        self.output = linear(recurrence.width, options.width, bias=options.bias, gain=gain)
        self.recurrence_residual = Residual(options)
        self.feedforward: FeedForward | None = None
        if options.feedforward:
            self.feedforward = FeedForward(options, output_gain=gain)
            self.feedforward_residual = Residual(options)

    def forward(self, vectors: Tensor, mask: Tensor) -> Tensor:
        """``[B, S, D]`` to ``[B, S, D]``; ``mask`` ``[B, S]`` is true for real positions."""
        read = self.recurrence(self.recurrence_residual.enter(vectors), mask)
        vectors = self.recurrence_residual.leave(vectors, self.output(read))
        if self.feedforward is not None:
            vectors = _feed_forward(vectors, self.feedforward, self.feedforward_residual)
        return vectors


class DecoderLayer(nn.Module):
    """Self-attention over what was read so far, attention over the memory, feed-forward."""

    past_names = ("key", "value")

    def __init__(self, options: StackOptions, *, memory_width: int) -> None:
        super().__init__()
        gain = options.output_gain(branches=3)
        self.attention = _attention(options, options.width, gain)
        self.attention_residual = Residual(options)
        self.memory_attention = _memory_attention(options, memory_width, gain)
        self.memory_residual = Residual(options)
        self.feedforward = FeedForward(options, output_gain=gain)
        self.feedforward_residual = Residual(options)
        self.rotary = options.positions == "rotary"

    @property
    def past_values(self) -> nn.Module:
        """What later tokens read of each token, before it is weighed."""
        return self.attention.value

    def forward(
        self,
        vectors: Tensor,
        past: Past | None,
        memory: KeysValues,
        *,
        bias: Tensor | None,
        memory_bias: Tensor,
    ) -> tuple[Tensor, Past, Tensor]:
        """``[N, T, D]`` to ``[N, T, D]``, the keys and values so far, and the memory's weights.

        ``past`` holds keys and values ``[N, G, t, d]`` of the t tokens before, none at
        first; ``memory`` those of B memories ``[B, G, S, d]``. ``bias`` broadcasts to
        ``[N, H, T, t + T]``, ``memory_bias`` is ``[B, 1, 1, S]``. The weights are
        ``[B, H, K·T, S]``.
        """
        entered = self.attention_residual.enter(vectors)
        start = 0 if past is None else past[0].shape[2]
        queries, keys, values = _project(self.attention, entered, self.rotary, start)
        if past is not None:
            keys = torch.cat([past[0], keys], dim=2)
            values = torch.cat([past[1], values], dim=2)
        attended, _ = self.attention.attend(queries, keys, values, bias)
        vectors = self.attention_residual.leave(vectors, attended)

        vectors, weights = _over_memory(
            vectors, self.memory_attention, self.memory_residual, memory, memory_bias
        )
        vectors = _feed_forward(vectors, self.feedforward, self.feedforward_residual)
        return vectors, (keys, values), weights


class RecurrentDecoderLayer(nn.Module):
    """A simple recurrent unit over what was read, attention over the memory, feed-forward if any.

    Kim et al. 2019, section 3.1. ``feedforward`` 0 leaves that sub-layer out. Not ``rectified``,
    the unit is the minimal gated one of Feng et al. 2024.
    """

    past_names = ("cell",)

    def __init__(self, options: StackOptions, *, memory_width: int, rectified: bool = True) -> None:
        super().__init__()
        gain = options.output_gain(branches=3 if options.feedforward else 2)
        self.recurrence = SimpleRecurrentUnit(
            options.width, bias=options.bias, gain=gain, rectified=rectified
        )
        self.recurrence_residual = Residual(options)
        self.memory_attention = _attention(options, memory_width, gain)
        self.memory_residual = Residual(options)
        self.feedforward: FeedForward | None = None
        if options.feedforward:
            self.feedforward = FeedForward(options, output_gain=gain)
            self.feedforward_residual = Residual(options)

    @property
    def past_values(self) -> nn.Module:
        """As of :class:`DecoderLayer`."""
        return self.recurrence.value

    def forward(
        self,
        vectors: Tensor,
        past: Past | None,
        memory: KeysValues,
        *,
        bias: Tensor | None,
        memory_bias: Tensor,
    ) -> tuple[Tensor, Past, Tensor]:
        """As :class:`DecoderLayer`, whose ``bias`` means nothing here; ``past`` is the cell
        ``[N, D]``.
        """
        read, cell = self.recurrence(
            self.recurrence_residual.enter(vectors), None if past is None else past[0]
        )
        vectors = self.recurrence_residual.leave(vectors, read)
        vectors, weights = _over_memory(
            vectors, self.memory_attention, self.memory_residual, memory, memory_bias
        )
        if self.feedforward is not None:
            vectors = _feed_forward(vectors, self.feedforward, self.feedforward_residual)
        return vectors, (cell,), weights


AnyDecoderLayer = DecoderLayer | RecurrentDecoderLayer


def _memory_attention(options: StackOptions, memory_width: int, gain: float) -> MultiHeadAttention:
    heads, width = options.memory_heads or options.heads, options.width
    together = options.heads // (options.key_value_heads or options.heads)
    own = replace(
        options,
        heads=heads,
        key_value_heads=heads // together,
        head_width=options.head_width or width // options.heads,
    )
    return _attention(own, memory_width, gain)


def _attention(options: StackOptions, memory_width: int, gain: float) -> MultiHeadAttention:
    return MultiHeadAttention(
        options.width,
        heads=options.heads,
        key_value_heads=options.key_value_heads,
        head_width=options.head_width,
        memory_width=memory_width,
        bias=options.bias,
        dropout=options.attention_dropout,
        output_gain=gain,
    )


def _project(
    attention: MultiHeadAttention, vectors: Tensor, rotary: bool, start: int
) -> tuple[Tensor, Tensor, Tensor]:
    queries = attention.project_queries(vectors)
    keys, values = attention.project_memory(vectors)
    if rotary:
        queries, keys = rotate(queries, start), rotate(keys, start)
    return queries, keys, values


def _over_memory(
    vectors: Tensor,
    attention: MultiHeadAttention,
    residual: Residual,
    memory: KeysValues,
    bias: Tensor,
) -> tuple[Tensor, Tensor]:
    queries = attention.project_queries(residual.enter(vectors))
    attended, weights = attention.attend(queries, *memory, bias)
    return residual.leave(vectors, attended), weights


def _feed_forward(vectors: Tensor, feedforward: FeedForward, residual: Residual) -> Tensor:
    return residual.leave(vectors, feedforward(residual.enter(vectors)))
