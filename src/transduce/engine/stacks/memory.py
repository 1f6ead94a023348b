"""Keys and values of a memory as the native kernels read them, made once a batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from transduce.engine.programs.blocks import joined
from transduce.engine.programs.program import Number, Program
from transduce.interfaces import Memory
from transduce.kernels.library import Library
from transduce.kernels.running.runner import Runner
from transduce.modules.attention import MultiHeadAttention

__all__ = ["KeysAndValues"]

_POSITIONS = 16  # kPositions of the kernels, which read so many at once, or half as many


class KeysAndValues:
    """What attention over a memory of ``width`` reads at every step, in a program of its own.

    ``project`` and ``store`` say what there is: float32, or bfloat16 in twos where the engine's
    ``number`` is another. Products are made in ``products``.
    """

    def __init__(self, library: Library, number: Number, width: int, *, products: Number) -> None:
        self._program = Program(library, products, memory=number)
        self._width = width
        self._stored = torch.float32 if number == "float32" else torch.bfloat16
        self._rooms: dict[str, tuple[bool, int, int]] = {}  # keys or not, G and d of each
        self._runner = Runner(self._program)
        self.program = self._program
        self.vectors = self._program.buffer(width)
        self._program.fetch("vectors", self.vectors, stride=width)

    def project(
        self, names: Sequence[tuple[str, str]], layers: Sequence[MultiHeadAttention]
    ) -> None:
        """Keys and values of each layer, by their names, in one product."""
        maps = [linear for layer in layers for linear in (layer.key, layer.value)]
        together = self.program.buffer(sum(len(linear.weight) for linear in maps))
        self.program.linear(self.vectors, together, *joined(maps))
        offset = 0
        for layer, (keys, values) in zip(layers, names, strict=True):
            pairs, width = layer.key_value_heads, layer.head_width
            for name in (keys, values):
                self.store(
                    together, name, offset=offset, pairs=pairs, width=width, keys=name == keys
                )
                offset += pairs * width

    def store(
        self, source: int, name: str, *, offset: int = 0, pairs: int, width: int, keys: bool
    ) -> None:
        """Columns of a buffer as the keys or values ``name``, G ``pairs`` of ``width`` d."""
        self.program.store_memory(source, name, offset=offset, pairs=pairs, width=width, keys=keys)
        self._rooms[name] = (keys, pairs, width)

    def noted(self) -> dict[str, Any] | None:
        """What it is, as data; None where nothing was noted."""
        if self._program.note is None:
            return None
        return {
            "program": self._program.note.number,
            "half": self._stored != torch.float32,
            "rooms": {name: [*room] for name, room in self._rooms.items()},
        }

    def __call__(self, memory: Memory) -> dict[str, Tensor]:
        """The keys and values of B sentences, and the ``lengths`` of their memories."""
        vectors = memory.vectors.float().contiguous()
        B, S, _ = vectors.shape
        rooms = {
            name: torch.zeros(B, pairs, *self._shape(keys, S, width), dtype=self._stored)
            for name, (keys, pairs, width) in self._rooms.items()
        }
        if rooms:
            self._runner.run_sources({"vectors": vectors, **rooms}, {}, S)
        return {**rooms, "lengths": memory.mask.sum(1)}

    def _shape(self, keys: bool, length: int, width: int) -> tuple[int, ...]:
        """Of one sentence and pair: keys ``[d, P]``, P being S rounded up to 16, values ``[S, d]``.

        As bfloat16, rows 2n and 2n + 1 of either side by side: ``[⌈d / 2⌉, P, 2]`` and
        ``[⌈S / 2⌉, d, 2]``.
        """
        rows, columns = (width, length + -length % _POSITIONS) if keys else (length, width)
        return (rows, columns) if self._stored == torch.float32 else (-(-rows // 2), columns, 2)
