"""What the programs of several architectures have in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor, nn

from transduce.engine.programs.operands import Joined
from transduce.engine.programs.program import Activation, Program
from transduce.errors import NoProgramError
from transduce.interfaces import END
from transduce.models.copying import PointerGenerator
from transduce.models.seq2seq import Embedding, OutputLayer
from transduce.models.transformer import Entry
from transduce.modules.attention import MultiHeadAttention
from transduce.modules.functional import RMSNorm, gelu_tanh
from transduce.modules.transformer import (
    AnyDecoderLayer,
    EncoderLayer,
    FeedForward,
    LinearRecurrentEncoderLayer,
    RecurrentDecoderLayer,
    Residual,
)

__all__ = ["Blocks", "heads_of", "joined", "norm", "write_copying", "write_output"]

_WHOLE = 2**31 - 1  # the block of a buffer with one row for each source
Layer = EncoderLayer | LinearRecurrentEncoderLayer | AnyDecoderLayer


class Blocks:
    """The modules that encoder and decoder layers share, written into a program.

    The residual stream is the buffer ``stream``; ``entered`` is what a sub-layer reads.
    """

    def __init__(self, program: Program, width: int) -> None:
        self.program = program
        self.width = width
        self.stream = program.buffer(width)
        self.entered = program.buffer(width)
        self._by_name: dict[tuple[str, int], int] = {}

    def enter_stack(
        self, entry: Entry, width: int, read: Callable[[Program, int], None], *, step: bool
    ) -> None:
        """Bring what ``read`` writes into a buffer of ``width`` to the stack's, add positions."""
        program = self.program
        if entry.project is None:
            read(program, self.stream)
        else:
            entered = program.buffer(width)
            read(program, entered)
            program.linear(entered, self.stream, entry.project.weight, entry.project.bias)
        if entry.positions is not None:
            program.positions(self.stream, "positions", step=step)
        if entry.norm is not None:
            norm(program, entry.norm, self.stream, self.stream)

    def enter(self, residual: Residual) -> int:
        """The buffer that the sub-layer reads."""
        if not residual.pre:
            return self.stream
        norm(self.program, residual.norm, self.stream, self.entered)
        return self.entered

    def leave(self, residual: Residual, source: int, output: nn.Linear) -> None:
        """Add the sub-layer's last affine map to the stream."""
        self.program.linear(source, self.stream, output.weight, output.bias, add=True)
        self._close(residual)

    def _close(self, residual: Residual) -> None:
        if not residual.pre:
            norm(self.program, residual.norm, self.stream, self.stream)

    def recur(self, layer: RecurrentDecoderLayer, place: int, layers: int) -> None:
        """The sub-layer that is a recurrent unit, the ``place``-th of ``layers``."""
        source, unit = self.enter(layer.recurrence_residual), layer.recurrence
        sums = self.program.buffer(2 * self.width)
        self.program.linear(source, sums, *joined((unit.value, unit.forget)))
        self.program.simple_recurrence(
            sums,
            self.stream,
            "cells",
            offset=place * self.width,
            stride=layers * self.width,
            rectified=unit.rectified,
        )
        self._close(layer.recurrence_residual)

    def attended(self, attention: MultiHeadAttention) -> int:
        """The buffer for what all heads give, shared by attentions of one width."""
        return self._of_heads("attended", attention)

    def queries(self, attention: MultiHeadAttention) -> int:
        """The buffer for what all heads ask for, likewise."""
        return self._of_heads("queries", attention)

    def _pairs(self, name: str, attention: MultiHeadAttention) -> int:
        return self.named(name, attention.key_value_heads * attention.head_width)

    def _of_heads(self, name: str, attention: MultiHeadAttention) -> int:
        return self.named(name, attention.heads * attention.head_width)

    def named(self, name: str, width: int) -> int:
        """A buffer by name and width, the same one for all layers."""
        if (name, width) not in self._by_name:
            self._by_name[name, width] = self.program.buffer(width)
        return self._by_name[name, width]

    def queries_keys_values(self, attention: MultiHeadAttention, source: int) -> int:
        """One product for all three."""
        maps = (attention.query, attention.key, attention.value)
        out = self.program.buffer(sum(linear.weight.shape[0] for linear in maps))
        self.program.linear(source, out, *joined(maps))
        return out

    def summaries(self, layer: EncoderLayer, block: int, source: int) -> int:
        """The buffer for keys and values of the mean of each block of ``source``."""
        program, attention = self.program, layer.attention
        maps = (attention.key, attention.value)
        means = program.buffer(self.width, block=block)
        out = program.buffer(sum(linear.weight.shape[0] for linear in maps), block=block)
        program.block_means(source, means, "lengths")
        if layer.summary_norm is not None:
            norm(program, layer.summary_norm, means, means)
        program.linear(means, out, *joined(maps))
        return out

    def linearly_attended(self, layer: EncoderLayer) -> int:
        """The buffer for what all heads give over sums of all keys and values.

        The layer is entered twice, as all positions have passed before queries are made: of all
        that is computed for each position, nothing is kept meanwhile.
        """
        program, attention = self.program, layer.attention
        heads, pairs, width = heads_of(attention)
        keys, values = (self._pairs(name, attention) for name in ("keys", "values"))
        sums = program.buffer(pairs * width * (width + 1), block=_WHOLE)
        source, raised = self.enter(layer.attention_residual), attention.key
        program.linear(source, keys, raised.weight, raised.bias, activation="elu+1")
        program.linear(source, values, attention.value.weight, attention.value.bias)
        program.key_value_sums(keys, values, sums, pairs=pairs, width=width, lengths="lengths")
        source, raised = self.enter(layer.attention_residual), attention.query
        queries, attended = self.queries(attention), self.attended(attention)
        program.linear(source, queries, raised.weight, raised.bias, activation="elu+1")
        program.linear_attention(
            queries, sums, attended, heads=(heads, pairs, width), lengths="lengths"
        )
        return attended

    def feed_forward(self, layer: Layer) -> None:
        """The feed-forward sub-layer, where there is one."""
        program, feed = self.program, layer.feedforward
        if feed is None:
            return
        source = self.enter(layer.feedforward_residual)
        width = feed.inner.weight.shape[0]
        inner = program.buffer(width)
        if feed.gate is None:
            activation = _activation(feed)
            program.linear(source, inner, feed.inner.weight, feed.inner.bias, activation=activation)
        else:
            both = program.buffer(2 * width)
            program.linear(source, both, *joined((feed.inner, feed.gate)))
            program.gate(both, inner, activation=_activation(feed))
        self.leave(layer.feedforward_residual, inner, feed.output)


def norm(program: Program, module: nn.Module, source: int, out: int) -> None:
    """A norm module, or a copy where there is none."""
    if isinstance(module, nn.LayerNorm):
        program.norm(source, out, module.weight, module.bias, module.eps, centred=True)
    elif isinstance(module, RMSNorm):
        program.norm(source, out, module.weight, None, module.epsilon, centred=False)
    elif source != out:
        program.place(source, out, 0)


def write_output(program: Program, output: OutputLayer, source: int) -> None:
    """The map to the vocabulary."""
    if output.project is not None:
        inner = program.buffer(output.project.weight.shape[0])
        program.linear(source, inner, output.project.weight)
        source = inner
    program.vocabulary(source, output.weight, output.bias, END)


def write_copying(
    program: Program, pointer: PointerGenerator, embedding: Embedding, outputs: int
) -> None:
    """The logits mixed with the attention, given outputs ``[N, D]`` and what ``tokens`` embeds.

    In float32: it is one number a row that much hangs on.
    """
    embedded = program.buffer(embedding.width)
    program.embed(embedded, "tokens", embedding.weight, embedding.scale)
    width = pointer.gate.weight.shape[1]
    both, gate = program.buffer(width), program.buffer(1)
    program.place(outputs, both, 0)
    program.place(embedded, both, width - embedding.width)
    program.linear(both, gate, pointer.gate.weight, pointer.gate.bias, number="float32")
    program.copy(
        gate,
        attention="attention",
        symbols="symbols",
        lengths="lengths",
        size=len(embedding.weight),
    )


def heads_of(attention: MultiHeadAttention) -> tuple[int, int, int]:
    """H, G and d."""
    return attention.heads, attention.key_value_heads, attention.head_width


def joined(maps: Sequence[nn.Linear]) -> tuple[Joined, Joined]:
    """Several affine maps of one input as one."""
    weights = tuple(linear.weight for linear in maps)
    biases = tuple(len(m.weight) if m.bias is None else m.bias for m in maps)
    return Joined(weights), Joined(biases)


_ACTIVATIONS: dict[Callable[[Tensor], Tensor], Activation] = {
    nn.functional.relu: "relu",
    nn.functional.gelu: "gelu",
    gelu_tanh: "gelu-tanh",
    nn.functional.silu: "silu",
}


def _activation(feed: FeedForward) -> Activation:
    if (name := _ACTIVATIONS.get(feed.activation)) is None:
        known = " or ".join(_ACTIVATIONS.values())
        raise NoProgramError(f"feed-forward activation must be {known}")
    return name
