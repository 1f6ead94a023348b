"""A program of the kernels, which is freed with the object that owns it."""

from __future__ import annotations

from transduce.errors import EngineError
from transduce.kernels.library import Library

__all__ = ["ProgramHandle"]


class ProgramHandle:
    """An empty program; ``value`` is what the kernels know it by."""

    def __init__(self, library: Library) -> None:
        """Raises EngineError where there is no memory for it."""
        self._free = library.functions.free_program
        self.value: int = library.functions.program() or 0
        if not self.value:
            raise EngineError("memory is too short for a program")

    def __del__(self) -> None:
        if getattr(self, "value", 0):
            self._free(self.value)
