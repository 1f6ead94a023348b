"""What is written into the programs of a model, noted as data that can be written once more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Note", "Notes", "ProgramNote"]


@dataclass(frozen=True, slots=True)
class Note:
    """An argument of an operation: what the kernels are given, and what is noted of it."""

    native: Any
    noted: Any


@dataclass
class ProgramNote:
    """The operations of one program; ``number`` is its place among those of the model.

    ``tensors`` are the names of those that each run is given, in the order of their numbers.
    """

    number: int
    tensors: Mapping[str, int]
    operations: list[list[Any]] = field(default_factory=list)

    def add(self, name: str, arguments: Sequence[Any]) -> None:
        """One operation."""
        self.operations.append([name, *arguments])


@dataclass
class Notes:
    """Of all programs of one model. ``names`` are those of its weights, by ``id``.

    ``whole`` is false once something was written that has no name: then nothing can be made of it.
    """

    names: Mapping[int, str]
    weights: list[dict[str, Any]] = field(default_factory=list)
    programs: list[ProgramNote] = field(default_factory=list)
    whole: bool = True

    def program(self, tensors: Mapping[str, int]) -> ProgramNote:
        """The note of the next program."""
        note = ProgramNote(len(self.programs), tensors)
        self.programs.append(note)
        return note

    def name(self, tensor: object) -> str | None:
        """What a file calls a tensor; None where it is no weight of the model."""
        name = self.names.get(id(tensor))
        if name is None:
            self.whole = False
        return name

    def packed(self, number: str, weight: Any, bias: Any) -> int:
        """Note a matrix that is packed; its place among all of them."""
        self.weights.append({"number": number, "weight": weight, "bias": bias})
        return len(self.weights) - 1

    def as_data(self) -> dict[str, Any]:
        """What JSON holds of it."""
        programs = [
            {"tensors": [*note.tensors], "operations": note.operations} for note in self.programs
        ]
        return {"weights": self.weights, "programs": programs}
