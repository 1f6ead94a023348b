"""Encoders of minimal gated units as native programs."""

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
from transduce.models.gated_encoder import GatedEncoder
from transduce.modules.transformer import GatedEncoderLayer

__all__ = ["NativeGatedEncoder"]


class NativeGatedEncoder:
    """A :class:`GatedEncoder` with its embedding, in one program (see :class:`Entrance`)."""

    def __init__(
        self, library: Library, number: Number, entrance: Entrance, encoder: GatedEncoder
    ) -> None:
        self._entrance = entrance
        self._width = width = encoder.width
        program = Program(library, number)
        blocks = Blocks(program, width)
        blocks.enter_stack(encoder.entry, entrance.width, entrance.write, step=False)
        sums, states = program.buffer(2 * width), program.buffer(width)
        for layer in encoder.layers:
            if not isinstance(layer, GatedEncoderLayer):
                raise TypeError(f"layer must be a GatedEncoderLayer; got {type(layer)}")
            source, unit = blocks.enter(layer.recurrence_residual), layer.recurrence
            program.linear(source, sums, *joined((unit.value, unit.update)))
            program.source_scan(sums, states, lengths="lengths")
            blocks.leave(layer.recurrence_residual, states, layer.output)
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
        return {"kind": "gated", "program": note.number, "width": self._width}

    def __call__(self, source: Source) -> Memory:
        """Encode a padded batch."""
        return self._entrance.encoded(source, self._run, self._width)

    def _run(self, tensors: dict[str, Tensor], sentences: int, length: int) -> None:
        self._runner.run_sources(tensors, {}, length)
