"""Short hashes that name texts and files, so that what was made of them is known again."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Sequence
from pathlib import Path

from transduce.errors import DataError
from transduce.untrusted.opening import open_regular

__all__ = ["digest", "file_digest", "paths_below"]


def digest(text: str) -> str:
    """A short hash that names a text."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def file_digest(path: Path) -> str:
    """A short hash that names the bytes of a file, or of all files of a folder.

    Raises DataError where they cannot be read again and again.
    """
    hashed = hashlib.blake2b(digest_size=16)
    try:
        for file in paths_below(path):
            with open_regular(file) as stream:
                if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                    message = "file must be a regular one, as it is read more than once; got a pipe"
                    raise DataError(message, file=path)
                while block := stream.read(1 << 22):
                    hashed.update(block)
    except OSError as error:
        raise DataError(f"file must be readable; got {error.strerror}", file=path) from None
    return hashed.hexdigest()


def paths_below(path: Path) -> Sequence[Path]:
    """All files of a folder; or that file alone."""
    return sorted(filter(os.path.isfile, path.rglob("*"))) if os.path.isdir(path) else [path]
