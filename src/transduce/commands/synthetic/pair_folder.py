"""The directory that commands which write pairs with models have in common."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from transduce.commands.arguments import require_new_folder
from transduce.errors import ConfigError, DataError
from transduce.workflow.synthetic.grown_pairs import PROGRESS

__all__ = ["require_files", "tell_left_out", "written_to"]


@contextmanager
def written_to(output: Path) -> Iterator[None]:
    """A directory that is new, or one with which the same command goes on.

    Raises ConfigError where it is neither, DataError where something cannot be written.
    """
    if not (output / PROGRESS).exists():
        require_new_folder(output)
    try:
        yield
    except OSError as error:
        file = error.filename or output
        raise DataError(
            f"--output must be writable; got {error.strerror or error} (the same command goes on "
            "from there)",
            file=os.fsdecode(file),
        ) from None


def require_files(files: Sequence[str], option: str) -> None:
    """They are read again where the command goes on. Raises ConfigError."""
    if "-" in files:
        raise ConfigError(f"{option} must be files, which can be read again; got standard input")


def tell_left_out(left: Counter[str], what: str) -> None:
    """A line for each reason."""
    for why, count in left.items():
        print(f"{what} left out, {why}: {count:,}")
