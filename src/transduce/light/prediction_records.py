"""What is known of a model from its last prediction, kept in the user's cache.

A record says all that stands between a model directory and its outputs: the programs of the native
engine, how it searches, how long sources may be. It is found by the checksums of the directory, its
config, the kernels and this version of ours, so one that is found is of this very model; whatever
changes, another is made. Only a file that nobody else can have written is read.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transduce.errors import EngineError
from transduce.files import SUMS, place, write_bytes
from transduce.files.regular import read_small
from transduce.kernels.cache import cache_folders, read_ours, secure_folder
from transduce.kernels.library import library_name
from transduce.workflow.model_folder import CONFIG

__all__ = ["RecordKey", "record_key"]

_FORM = 2  # of a record; another is not read
_KEPT = 100  # records, the newest
_PACKAGE = Path(__file__).parent.parent
_ROOMS = (
    *("", "config", "models", "reading", "search", "tokenization"),
    *("workflow", "workflow/corpora", "workflow/predicting"),
    *("engine", "engine/programs", "engine/stacks", "light", "light/notes", "light/searches"),
)


@dataclass(frozen=True)
class RecordKey:
    """By which the record of a model directory, as it is now, is found."""

    name: str

    def read(self) -> dict[str, Any] | None:
        """The record; None where there is none, or it is none that this user wrote."""
        for folder in cache_folders():
            with suppress(OSError, ValueError):
                found = json.loads(read_ours(folder / self.name))
                return found if isinstance(found, dict) else None
        return None

    def write(self, record: dict[str, Any]) -> None:
        """Keep a record, and no more than the newest hundred; where none can be kept, none is."""
        content = json.dumps(record, separators=(",", ":"), allow_nan=False).encode()
        for folder in cache_folders():
            with suppress(OSError, EngineError):
                secure_folder(folder)
                _forget_oldest(folder)
                write_bytes(folder / self.name, content)
                return


def record_key(folder: Path) -> RecordKey | None:
    """None where nothing tells what the directory holds, or there can be no kernels."""
    try:
        parts = [library_name().encode(), *_of_model(folder), *_of_package()]
    except (OSError, EngineError):
        return None
    digest = hashlib.sha256()
    for part in parts:
        digest.update(hashlib.sha256(part).digest())
    return RecordKey(f"prediction-{_FORM}-{digest.hexdigest()[:32]}.json")


def _of_model(folder: Path) -> Iterator[bytes]:
    for name in (SUMS, CONFIG):
        yield read_small(place(folder, name))


def _of_package() -> Iterator[bytes]:
    """Names, sizes and times of the modules that have a say in a record."""
    for room in _ROOMS:
        for entry in sorted(os.scandir(_PACKAGE / room), key=lambda entry: entry.name):
            if entry.name.endswith(".py"):
                status = entry.stat()
                yield f"{room}/{entry.name} {status.st_size} {status.st_mtime_ns}".encode()


def _forget_oldest(folder: Path) -> None:
    found = sorted(folder.glob("prediction-*.json"), key=lambda path: path.lstat().st_mtime_ns)
    for path in found[: max(0, len(found) + 1 - _KEPT)]:
        path.unlink(missing_ok=True)
