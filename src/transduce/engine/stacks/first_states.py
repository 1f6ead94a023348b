"""What a recurrent decoder makes of a memory before its first token: keys, values, first states.

In float32 whatever the engine's numbers are, and as native programs: a product of PyTorch's hangs,
in its last bits, on how many sentences there are.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from transduce.engine.programs.operands import Scaled
from transduce.engine.programs.program import Activation, Number, Program
from transduce.engine.stacks.memory import KeysAndValues
from transduce.errors import NoProgramError
from transduce.interfaces import Memory
from transduce.kernels.library import Library
from transduce.kernels.running.runner import Extent, Runner
from transduce.models.recurrent import RecurrentDecoder
from transduce.modules.attention_scores import (
    AdditiveScore,
    CosineScore,
    DotScore,
    GeneralScore,
    MultiHead,
    ScoreAttention,
)

__all__ = ["FirstStates", "read_memory"]

_LEAST_LENGTH = 1e-12  # that a key is divided by, as torch.nn.functional.normalize has it


def read_memory(library: Library, number: Number, decoder: RecurrentDecoder) -> KeysAndValues:
    """What a decoder's attention reads at every step: its ``keys`` and ``values``."""
    width, attention = decoder.memory_width, decoder.attention
    memory = KeysAndValues(library, number, width, products="float32")
    if isinstance(attention, MultiHead):
        memory.project([("keys", "values")], [attention.heads])
    elif isinstance(attention, ScoreAttention):
        keys = _keys(memory, attention, decoder.width)
        memory.store(keys, "keys", pairs=1, width=decoder.width, keys=True)
        memory.store(memory.vectors, "values", pairs=1, width=width, keys=False)
    return memory


def _keys(memory: KeysAndValues, attention: ScoreAttention, width: int) -> int:
    """The buffer of the keys of one score."""
    program, score = memory.program, attention.score
    if isinstance(score, AdditiveScore):
        keys = program.buffer(width)
        program.linear(memory.vectors, keys, Scaled(score.key.weight, 2))
        return keys
    if not isinstance(score, DotScore | GeneralScore | CosineScore):
        raise NoProgramError.of("attention", score)
    keys = memory.vectors
    if isinstance(score.project, nn.Linear):
        keys = program.buffer(width)
        program.linear(memory.vectors, keys, score.project.weight)
    if not isinstance(score, CosineScore):
        return keys
    # β k / |k| is an RMSNorm whose weights are β / √D.
    directions, sharpness = program.buffer(width), score.log_sharpness.exp() / math.sqrt(width)
    epsilon = _LEAST_LENGTH**2 / width
    program.norm(keys, directions, sharpness.expand(width), None, epsilon, centred=False)
    return directions


class FirstStates:
    """The states before the first token, made of a memory's summary as :class:`Bridge` does."""

    def __init__(self, library: Library, decoder: RecurrentDecoder) -> None:
        self._bridge = decoder.bridge
        self._names, self._width = decoder.state_names, decoder.width
        self._feeds = decoder.input_feeding
        self._program: Program | None = None
        if self._bridge.kind == "dense":
            self._program = self._dense(library, decoder.memory_width)
        self._runner = None if self._program is None else Runner(self._program)

    def _dense(self, library: Library, memory_width: int) -> Program:
        program, bridge = Program(library, "float32"), self._bridge
        stride = bridge.layers * self._width
        for layer in range(bridge.layers):
            summary, states = program.buffer(memory_width), program.buffer(self._width)
            program.fetch(f"summary.{layer}", summary, stride=memory_width)
            for name, projections in (("hidden", bridge.hidden), ("cell", bridge.cell)):
                if not len(projections):
                    continue
                project = projections[layer]
                if not isinstance(project, nn.Linear):
                    raise TypeError(f"projection must be linear; got {type(project)}")
                bend: Activation = "tanh" if name == "hidden" else "none"
                program.linear(summary, states, project.weight, project.bias, activation=bend)
                program.put(states, name, offset=layer * self._width, stride=stride)
        return program

    def noted(self) -> dict[str, Any]:
        """What they are, as data."""
        note = None if self._program is None else self._program.note
        return {
            "kind": self._bridge.kind,
            "program": None if note is None else note.number,
            "names": [*self._names],
            "layers": self._bridge.layers,
            "feeds": self._feeds,
        }

    def __call__(self, memory: Memory) -> dict[str, Tensor]:
        """``[B, L, D]`` of each kind, and ``[B, D]`` of what is fed."""
        B, summary = len(memory.summary), memory.summary.float()
        if self._runner is None:
            states = [state.contiguous() for state in self._bridge(summary)]
            rows = dict(zip(self._names, states, strict=True))
        else:
            layers = self._bridge.layers
            rows = {name: torch.empty(B, layers, self._width) for name in self._names}
            places = range(layers) if summary.shape[1] == layers else [-1] * layers
            read = {f"summary.{n}": summary[:, at].contiguous() for n, at in enumerate(places)}
            self._runner.run({**rows, **read}, Extent(rows=B, sentences=B, source=1))
        return rows | ({"output": torch.zeros(B, self._width)} if self._feeds else {})
