"""Encoders of linear recurrences as native programs."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from transduce.engine.frontends.entrance import Entrance
from transduce.engine.programs.blocks import Blocks, joined, norm
from transduce.engine.programs.program import Program
from transduce.engine.programs.weights import Number
from transduce.interfaces import Memory, Source
from transduce.kernels.library import Library
from transduce.kernels.running.runner import Runner
from transduce.models.linear_recurrent_encoder import LinearRecurrentEncoder
from transduce.modules.gated_recurrence import MinimalGatedUnit
from transduce.modules.selective_state_space import SelectiveStateSpace
from transduce.modules.transformer import LinearRecurrentEncoderLayer

__all__ = ["NativeLinearRecurrentEncoder"]


class NativeLinearRecurrentEncoder:
    """One program of a :class:`LinearRecurrentEncoder` and its embedding (:class:`Entrance`)."""

    def __init__(
        self,
        library: Library,
        number: Number,
        entrance: Entrance,
        encoder: LinearRecurrentEncoder,
    ) -> None:
        self._entrance = entrance
        self._width = width = encoder.width
        program = Program(library, number)
        blocks = Blocks(program, width)
        blocks.enter_stack(encoder.entry, entrance.width, entrance.write, step=False)
        for layer in encoder.layers:
            if not isinstance(layer, LinearRecurrentEncoderLayer):
                raise TypeError(f"layer must be a LinearRecurrentEncoderLayer; got {type(layer)}")
            unit = layer.recurrence
            if isinstance(unit, MinimalGatedUnit):
                read = _gated(blocks, layer, unit)
            else:
                read = _selective(blocks, layer, unit)
            blocks.leave(layer.recurrence_residual, read, layer.output)
            blocks.feed_forward(layer)
        norm(program, encoder.norm, blocks.stream, blocks.entered)
        program.put(blocks.entered, "vectors", stride=width)
        program.mean(blocks.entered, "lengths", "summary")
        self._program, self._runner = program, Runner(program)

    def noted(self) -> dict[str, Any] | None:
        """What it is, as data; None where it cannot be made of that."""
        note = self._program.note
        if note is None or not self._entrance.embeds:
            return None
        return {"kind": "linear-recurrent", "program": note.number, "width": self._width}

    def __call__(self, source: Source) -> Memory:
        """Encode a padded batch."""
        return self._entrance.encoded(source, self._run, self._width)

    def _run(self, tensors: dict[str, Tensor], sentences: int, length: int) -> None:
        self._runner.run_sources(tensors, {}, length)


def _gated(blocks: Blocks, layer: LinearRecurrentEncoderLayer, unit: MinimalGatedUnit) -> int:
    """The buffer for what a layer's minimal gated unit reads."""
    sums, states = blocks.named("sums", 2 * unit.width), blocks.named("states", unit.width)
    source = blocks.enter(layer.recurrence_residual)
    blocks.program.linear(source, sums, *joined((unit.value, unit.update)))
    blocks.program.source_scan(sums, states, lengths="lengths")
    return states


def _selective(
    blocks: Blocks, layer: LinearRecurrentEncoderLayer, unit: SelectiveStateSpace
) -> int:
    """Likewise of its selective state space, in three passes over the source.

    The first makes what both directions read, the second goes back, the third onwards. Steps and
    gates are made where they are wanted: less is kept so of all positions.
    """
    program, channels = blocks.program, unit.width
    names = ("entered", "values", "steps", "gate", "read")
    entered, values, steps, gate, read = (blocks.named(name, channels) for name in names)
    back, ranks = blocks.named("back", channels // 2), blocks.named("ranks", len(unit.rank.weight))
    selection = blocks.named("selection", len(unit.selection.weight))
    source = blocks.enter(layer.recurrence_residual)
    program.linear(source, entered, unit.value.weight, unit.value.bias)
    taps = {"taps": unit.taps, "bias": unit.taps_bias}
    program.source_convolution(entered, values, lengths="lengths", **taps)
    program.linear(values, ranks, unit.rank.weight)
    program.linear(values, selection, unit.selection.weight)

    def make_steps() -> None:
        # Of few numbers each, which all that is remembered hangs on.
        program.linear(ranks, steps, unit.step.weight, unit.step.bias, number="float32")

    make_steps()
    program.state_space_back(values, steps, selection, back, lengths="lengths", decay=unit.decay)
    make_steps()
    # Entered once more, as all positions have passed meanwhile.
    source = blocks.enter(layer.recurrence_residual)
    program.linear(source, gate, unit.gate.weight, unit.gate.bias)
    program.state_space_onwards(
        values, steps, selection, back, gate, read,
        lengths="lengths", decay=unit.decay, skip=unit.skip,
    )  # fmt: skip
    return read
