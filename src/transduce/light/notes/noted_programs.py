"""Programs that were noted, written once more: every number in them is checked as if it were new.

A note is data of a file. What stands in it reaches the kernels through the same functions that a
writer calls; these refuse what does not fit the buffers and weights, and every run what does not
fit its tensors.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from typing import Any

from transduce.errors import ModelError
from transduce.kernels.border import Numbers, numbers_of, raise_refusal
from transduce.kernels.library import DECLARED, Library
from transduce.kernels.running.program_handle import ProgramHandle
from transduce.light.notes.file_weights import FileWeights, Packed
from transduce.light.notes.roles import require_roles

__all__ = ["NotedProgram", "noted_programs"]

_NUMBER = object()
_LARGEST = 1e30  # of a factor


def noted_programs(
    library: Library, engine: Mapping[str, Any], weights: FileWeights
) -> list[NotedProgram]:
    """All programs of a model. Raises ModelError, EngineError."""
    noted = engine["weights"]
    # The largest first: what is read for it is gone when the others have come.
    order = sorted(range(len(noted)), key=lambda place: -weights.size(noted[place]["weight"]))
    found = {place: weights.packed(**_named(noted[place])) for place in order}
    packed = [found[place] for place in range(len(noted))]
    weights.release()
    return [NotedProgram(library, noted, packed, weights) for noted in engine["programs"]]


def _named(noted: Mapping[str, Any]) -> dict[str, Any]:
    return {name: noted[name] for name in ("number", "weight", "bias")}


class NotedProgram:
    """A program as a ``Runner`` runs it."""

    def __init__(
        self,
        library: Library,
        noted: Mapping[str, Any],
        packed: Sequence[Packed],
        weights: FileWeights,
    ) -> None:
        self.library = library
        self._owned = ProgramHandle(library)  # freed before what it points to
        self._kept: list[object] = []  # what the operations point to
        self._packed, self._weights = packed, weights
        names = [str(name) for name in noted["tensors"]]
        if len({*names}) < len(names):
            raise ModelError("tensors must have names of their own")
        require_roles(names, noted["operations"])
        self._tensors = {name: number for number, name in enumerate(names)}
        for name, *arguments in noted["operations"]:
            self._write(name, arguments)

    @property
    def handle(self) -> int:
        """What the kernels know it by."""
        return self._owned.value

    @property
    def tensors(self) -> Mapping[str, int]:
        """The numbers of all tensors by their names."""
        return self._tensors

    def _write(self, name: Any, arguments: Sequence[Any]) -> None:
        kinds = DECLARED[name][1][1:]  # behind the program itself
        if len(kinds) != len(arguments):
            raise ModelError(f"{name} must have {len(kinds)} arguments; got {len(arguments)}")
        if name == "buffer":  # whose number goes to the last
            arguments = [*arguments[:-1], _NUMBER]
        native = [self._native(*each) for each in zip(kinds, arguments, strict=True)]
        if getattr(self.library.functions, name)(self.handle, *native):
            raise_refusal(self.library.functions)

    def _native(self, kind: Any, argument: Any) -> Any:
        """An argument as the kernels take it. Raises ModelError where it is of another kind."""
        if argument is _NUMBER:
            return ctypes.byref(ctypes.c_int())
        match argument:
            case bool() | int() if kind in (ctypes.c_int, ctypes.c_int64):
                return argument
            case int() | float() if kind is ctypes.c_float and abs(argument) < _LARGEST:
                return argument
            case {"numbers": operand} if kind is Numbers:
                held = self._weights.numbers(operand)
                self._kept.append(held)
                return numbers_of(held)
            case {"packed": int(place)} if kind is ctypes.c_void_p and self._has(place):
                self._kept.append(self._packed[place])
                return self._packed[place].handle
        raise ModelError(f"argument must be of the kind that an operation takes; got {argument!r}")

    def _has(self, place: int) -> bool:
        return 0 <= place < len(self._packed)
