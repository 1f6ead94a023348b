"""What is weighed of a source: its symbols, its words, or the cells of a spectrogram or picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["Units", "cells", "edges", "symbols", "words"]

_SPACES = (" ", "▁", "Ġ", "␣", "\n", "\t")  # what a symbol begins with where a word begins


@dataclass(frozen=True)
class Units:
    """Which of ``count`` units each number of a source is of.

    ``of`` is int64 ``[S]`` for tokens, ``[S, F]`` for frames; ``count`` itself stands for padding,
    which is of none. Cells stand in ``rows`` rows; unit
    ``column · rows + row`` is that of a column and a row.
    """

    of: Tensor
    count: int
    rows: int = 1

    @property
    def columns(self) -> int:
        """Of cells; of texts the units themselves."""
        return self.count // self.rows

    def sums(self, values: Tensor) -> Tensor:
        """The sum over each unit: ``[N, S, E]`` (any number a token) or ``[N, S, F]`` to
        ``[N, U]``.
        """
        rows = values.sum(-1) if self.of.ndim == 1 else values
        flat = rows.flatten(1)  # [N, S] or [N, S·F]
        found = flat.new_zeros(len(flat), self.count + 1)
        return found.index_add_(1, self.of.flatten().to(flat.device), flat)[:, : self.count]

    def norms(self, values: Tensor) -> Tensor:
        """The Euclidean norm over each unit, ``[N, U]``."""
        return self.sums(values.square()).sqrt()

    def spread(self, kept: Tensor) -> Tensor:
        """Bool ``[N, U]`` to each number of a source, ``[N, S]`` or ``[N, S, F]``."""
        padding = kept.new_ones(len(kept), 1)
        return torch.cat([kept, padding], dim=1)[:, self.of.to(kept.device)]


def symbols(count: int) -> Units:
    """Each of S symbols, END among them, is one."""
    return Units(torch.arange(count), count)


def words(names: Sequence[str]) -> tuple[Units, list[str]]:
    """Symbols (END last, a word of its own) that make up one word are one unit; their names.

    A word begins where a symbol begins with a space or a mark of it, and after one that is
    nothing else.
    """
    found: list[list[str]] = []
    of = []
    after_space = True
    for name in names[:-1]:
        blank = name.strip("".join(_SPACES)) == ""
        if after_space or (name.startswith(_SPACES) and not blank):
            found.append([])
        found[-1].append(name)
        of.append(len(found) - 1)
        after_space = blank
    found.append([names[-1]])
    of.append(len(found) - 1)
    return Units(torch.tensor(of), len(found)), ["".join(own) for own in found]


def cells(frames: int, numbers: int, columns: int, rows: int, channels: int = 1) -> Units:
    """Cells of a spectrogram or picture ``[S, F]``: ``columns`` by ``rows``, as equal as can be.

    A column of a picture holds one of ``channels`` after the other, each from top to bottom.
    """
    height = numbers // channels
    across = torch.arange(frames) * columns // frames
    down = torch.arange(numbers) % height * rows // height
    return Units(across[:, None] * rows + down, columns * rows, rows)


def edges(size: int, count: int) -> list[int]:
    """Where each of ``count`` columns or rows of :func:`cells` begins, and where the last ends."""
    return [-(-place * size // count) for place in range(count + 1)]
