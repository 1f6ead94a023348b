"""A file that grows by whole blocks; what a kill left behind the last of them is cut off."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from transduce.files.sync import named

__all__ = ["append_block"]


def append_block(path: Path, length: int, block: bytes) -> int:
    """Put a block behind the first ``length`` bytes of a file, on the disk when this ends.

    Whoever keeps the lengths knows what is whole: anything behind ``length`` goes. Gives the new
    length. Raises OSError naming the file, which then holds at least what it held before; also
    where it is shorter than ``length``.
    """
    with named(path), path.open("ab") as file:
        if file.tell() < length:
            raise OSError(None, "shorter than it was written", str(path))
        file.truncate(length)
        try:
            file.write(block)
            file.flush()
            os.fsync(file.fileno())
        except OSError:
            with suppress(OSError):  # what is there of the block takes room on a full disk
                file.truncate(length)
            raise
    return length + len(block)
