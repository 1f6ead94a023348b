"""Inputs worth keeping, as files: each reached a line, or came to an end, that none before did."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fuzz.harness import Files
from fuzz.running.stored import name_of, read_input, write_input

__all__ = ["Corpus"]

_MOST = 4000  # inputs of a harness
_LARGEST = 1 << 18  # bytes of one: large ones make all that are drawn from them slow


class Corpus:
    """The inputs kept for one harness."""

    def __init__(self, folder: Path, harness: str) -> None:
        """Read what is there already."""
        self._folder, self._harness = folder / harness, harness
        self._inputs = {
            path.stem: read_input(path)[1] for path in sorted(self._folder.glob("*.json"))
        }

    @property
    def inputs(self) -> Sequence[Files]:
        """All of them, in an order of their own."""
        return [files for _, files in sorted(self._inputs.items())]

    def add(self, files: Files) -> bool:
        """Keep an input; False where it is known, large, or there are enough."""
        name = name_of(files)
        if name in self._inputs or len(self._inputs) >= _MOST:
            return False
        if sum(map(len, files.values())) > _LARGEST:
            return False
        self._inputs[name] = files
        write_input(self._folder / f"{name}.json", self._harness, files)
        return True
