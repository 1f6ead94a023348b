"""Weights as the operations of a program take them: a model's own, or made of several."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from transduce.kernels.running.notes import Notes

__all__ = ["Joined", "Operand", "Scaled", "Summed", "noted", "tensor_of"]


@dataclass(frozen=True)
class Joined:
    """The rows of several, one after another; a number stands for so many zeros."""

    parts: tuple[Tensor | int, ...]

    def tensor(self) -> Tensor:
        """All rows."""
        return torch.cat([torch.zeros(p) if isinstance(p, int) else p.detach() for p in self.parts])

    def noted(self, notes: Notes) -> Any:
        """As data."""
        return {"joined": [p if isinstance(p, int) else notes.name(p) for p in self.parts]}


@dataclass(frozen=True)
class Scaled:
    """A weight times a number above zero."""

    part: Tensor
    factor: float

    def tensor(self) -> Tensor:
        """The product."""
        return self.factor * self.part.detach()

    def noted(self, notes: Notes) -> Any:
        """As data."""
        return {"scaled": notes.name(self.part), "factor": self.factor}


@dataclass(frozen=True)
class Summed:
    """The sum of two biases."""

    first: Tensor
    second: Tensor

    def tensor(self) -> Tensor:
        """The sum."""
        return self.first.detach() + self.second.detach()

    def noted(self, notes: Notes) -> Any:
        """As data."""
        return {"summed": [notes.name(self.first), notes.name(self.second)]}


Operand = Tensor | Joined | Scaled | Summed


def tensor_of(operand: Operand) -> Tensor:
    """The weights themselves."""
    return operand if isinstance(operand, Tensor) else operand.tensor()


def noted(operand: Operand | None, notes: Notes) -> Any:
    """A weight as data: its name in a file, or what is made of several."""
    if operand is None:
        return None
    return notes.name(operand) if isinstance(operand, Tensor) else operand.noted(notes)
