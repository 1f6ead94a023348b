"""Bytes of a file that are read when somebody asks, in place of being kept in memory.

Like a mapped file they stay what they were when another file takes its place, and cost no memory;
unlike one, a file that somebody cuts is an error and does not end the process.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from transduce.errors import ModelError

__all__ = ["HeldFile", "Unread"]


class HeldFile:
    """A second hold on an open file; any thread may read from it."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self._path = path
        self._file = io.FileIO(os.dup(descriptor))

    def __del__(self) -> None:
        """Let go."""
        if hasattr(self, "_file"):
            self._file.close()

    def read(self, buffer: memoryview, start: int, name: str) -> None:
        """Fill a buffer from byte ``start`` on. Raises ModelError."""
        done = 0
        while done < len(buffer):
            try:
                count = os.preadv(self._file.fileno(), [buffer[done:]], start + done)
            except OSError as error:
                raise self._broken(error.strerror or "it cannot be read") from None
            if not count:
                raise self._broken(f"it ends inside {name}")
            done += count

    def _broken(self, reason: str) -> ModelError:
        return ModelError(f"{self._path}: weights must stay readable while used; {reason}")


@dataclass(frozen=True)
class Unread:
    """A tensor of a file; where files cannot be read in this way, one that is in memory."""

    file: HeldFile | None
    name: str
    type: torch.dtype
    shape: tuple[int, ...]
    start: int
    tensor: Tensor | None = None

    def read(self) -> Tensor:
        """The tensor, in memory of its own. Raises ModelError."""
        if self.tensor is not None:
            return self.tensor
        tensor = torch.empty(self.shape, dtype=self.type)
        if self.file is not None and tensor.numel():
            buffer = tensor.flatten().view(torch.uint8).numpy().data
            self.file.read(buffer, self.start, self.name)
        return tensor

    def __reduce__(self) -> tuple[Callable[..., Unread], tuple[object, ...]]:
        """Read, in a pickle."""
        return Unread, (None, self.name, self.type, self.shape, self.start, self.read())
