"""Reading several files that belong together while others may change them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeVar

from transduce.errors import BusyError, TransduceError
from transduce.files.committed import COMMITTED, place
from transduce.files.regular import read_small
from transduce.files.sums import SUMS

__all__ = ["read_as_one"]

_TRIES = 10
_T = TypeVar("_T")


class _State(NamedTuple):
    """By which to see that a folder was changed."""

    sums: bytes | None
    committed: tuple[str, ...] | None  # what is not at home yet


def read_as_one(folder: Path, read: Callable[[], _T]) -> _T:
    """What ``read`` gives, all of it from before a change of the folder or all from after it.

    ``read`` finds its files by :func:`place`, and is called again where the folder was changed
    meanwhile. Raises what it raises, BusyError where others change the folder without a pause.
    """
    for _ in range(_TRIES):
        before = _state(folder)
        try:
            found = read()
        except (TransduceError, OSError):
            if _state(folder) == before:
                raise
        else:
            if _state(folder).sums == before.sums:
                return found
    raise BusyError(f"{folder} must stay as it is while it is read; others change it all the time")


def _state(folder: Path) -> _State:
    try:
        sums = read_small(place(folder, SUMS))
    except OSError:
        sums = None
    try:
        committed = tuple(sorted(os.listdir(folder / COMMITTED)))
    except OSError:
        committed = None
    return _State(sums, committed)
