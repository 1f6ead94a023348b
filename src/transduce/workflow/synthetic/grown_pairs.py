"""Files of pairs that grow while models write them, and go on where a kill left them.

Each is JSON lines. ``progress.json`` beside them says of each how many sources were asked, how
many bytes are whole and what was left out; it is written after each block, so that a source is
asked again only where its block had not ended.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from transduce.errors import ConfigError, DataError, ModelError
from transduce.files import append_block, write_text
from transduce.untrusted.json import read_object

__all__ = ["PROGRESS", "GrownFile", "GrownPairs"]

PROGRESS = "progress.json"
_VERSION = 1


@dataclass
class GrownFile:
    """How far one file has come: ``sources`` asked, ``pairs`` and ``bytes`` written; ``left_out``
    counts sources without a pair by why.
    """

    sources: int = 0
    pairs: int = 0
    bytes: int = 0
    left_out: Counter[str] = field(default_factory=Counter)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> GrownFile:
        """Raises KeyError, TypeError, ValueError where they are no such values."""
        counts = {name: values[name] for name in ("sources", "pairs", "bytes")}
        left = Counter(dict(values["left_out"]))
        if not all(type(n) is int and n >= 0 for n in (*counts.values(), *left.values())):
            raise ValueError("counts must be whole numbers from 0 on")
        return cls(**counts, left_out=left)

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        own = {name: getattr(self, name) for name in ("sources", "pairs", "bytes")}
        return {**own, "left_out": dict(self.left_out)}


class GrownPairs:
    """The files of pairs in a folder that one process writes; see the module."""

    def __init__(self, folder: Path, asked: str) -> None:
        """``asked`` names all that the pairs depend on. Raises ConfigError where the folder holds
        what was asked otherwise, or something that is no such folder.
        """
        self.folder = folder
        self._asked = asked
        self.files: dict[str, GrownFile] = {}
        if (folder / PROGRESS).exists():
            self.files = self._read()

    def _read(self) -> dict[str, GrownFile]:
        path = self.folder / PROGRESS
        try:
            state = read_object(path)
            if state["version"] == _VERSION and state["asked"] == self._asked:
                files = dict(state["files"])
                return {name: GrownFile.from_dict(own) for name, own in files.items()}
        except (ModelError, KeyError, TypeError, ValueError, AttributeError):
            raise ConfigError(f"{path} must be what this command wrote; it is not") from None
        raise ConfigError(
            f"--output must be a new directory, or go on with the same models, data and options; "
            f"got {self.folder}, where others were asked for"
        )

    def of(self, name: str) -> GrownFile:
        """How far a file has come."""
        return self.files.setdefault(name, GrownFile())

    def add(
        self, name: str, sources: int, records: Iterable[Mapping[str, Any]], left: Counter[str]
    ) -> None:
        """Put the pairs of so many more sources behind the others. Raises OSError, and DataError
        where somebody shortened the file.
        """
        before = self.of(name)
        lines = [json.dumps(record, ensure_ascii=False) + "\n" for record in records]
        path = self.folder / name
        if before.bytes and (not path.exists() or path.stat().st_size < before.bytes):
            raise DataError("file must be as it was written; it is shorter", file=path)
        block = "".join(lines).encode(errors="backslashreplace")
        self.files[name] = GrownFile(
            before.sources + sources,
            before.pairs + len(lines),
            append_block(path, before.bytes, block),
            before.left_out + left,
        )
        try:
            self._write()
        except BaseException:
            self.files[name] = before  # as the disk has it
            raise

    def _write(self) -> None:
        files = {name: own.to_dict() for name, own in self.files.items()}
        state = {"version": _VERSION, "asked": self._asked, "files": files}
        write_text(self.folder / PROGRESS, json.dumps(state, indent=1) + "\n")
