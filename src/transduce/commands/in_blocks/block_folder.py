"""The folder that a corpus's answers are written to, and its list of the blocks that are finished.

Each block is a file of its own, ``block-000000.parquet`` and so on, which is there whole or not at
all. ``_corpus.json`` says what was asked for; ``_blocks.jsonl`` has a line for each block that is
finished, and only the process that gives out the blocks writes it. Names that begin with ``_`` are
passed over by programs that read a folder of Parquet files as one table.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from transduce.commands.in_blocks.block_tries import clear_tries
from transduce.commands.in_blocks.corpus_blocks import CorpusBlock
from transduce.errors import ConfigError, DataError, ModelError
from transduce.files import append_block, clear_asides, write_text
from transduce.untrusted.json import parse_json, read_object

__all__ = ["BlockFolder", "FinishedBlock", "block_path", "named_output"]

_CORPUS, _FINISHED = "_corpus.json", "_blocks.jsonl"
_VERSION = 1
_DIFFERENCES = {
    "files": "other files, or other content in them",
    "model": "another model",
    "options": "other options",
    "version": "another version of transduce",
}


@dataclass(frozen=True)
class FinishedBlock:
    """``records`` were answered in a file of ``bytes``; ``refused`` of them say why there is no
    answer, ``withheld`` are less sure than was asked for.
    """

    block: int
    records: int
    bytes: int
    refused: int
    withheld: int

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> FinishedBlock:
        """Raises KeyError, ValueError where they are no such numbers."""
        own = {field.name: values[field.name] for field in fields(cls)}
        if not all(type(number) is int and number >= 0 for number in own.values()):
            raise ValueError("numbers must be whole and from 0 on")
        return cls(**own)


class BlockFolder:
    """Who has it open holds the lock on ``folder``."""

    def __init__(self, folder: Path, suffix: str) -> None:
        self.folder = folder
        self.finished: dict[int, FinishedBlock] = {}
        self._suffix = suffix
        self._length = 0

    def path(self, number: int) -> Path:
        """The file of a block."""
        return block_path(self.folder, number, self._suffix)

    def begin(self, asked: Mapping[str, str], blocks: Sequence[CorpusBlock]) -> None:
        """Say what is asked for, or find what is finished of the same. Raises ConfigError where the
        folder holds something else, DataError where it cannot be written.
        """
        path = self.folder / _CORPUS
        clear_asides(self.folder)
        clear_tries(self.folder)
        if not path.exists():
            if any(self.folder.iterdir()):
                raise ConfigError(
                    "--output must be a new folder, or one that the same command began; got "
                    f"{self.folder}, which holds something else"
                )
            state = {"version": _VERSION, "blocks": len(blocks), "asked": dict(asked)}
            with named_output(self.folder):
                write_text(path, json.dumps(state, indent=1) + "\n")
        self._require_same(path, asked)
        self._read(blocks)

    def add(self, done: FinishedBlock) -> None:
        """Note that a block is finished. Raises DataError."""
        with named_output(self.folder):
            line = (json.dumps(asdict(done)) + "\n").encode()
            self._length = append_block(self.folder / _FINISHED, self._length, line)
        self.finished[done.block] = done

    def _require_same(self, path: Path, asked: Mapping[str, str]) -> None:
        try:
            state = read_object(path)
            before = {key: str(state["asked"][key]) for key in asked}
            if state["version"] != _VERSION:
                raise ValueError("another version")
        except (ModelError, KeyError, TypeError, ValueError):
            raise ConfigError(f"{path} must be what this command wrote; it is not") from None
        others = [_DIFFERENCES[key] for key in asked if before[key] != asked[key]]
        if others:
            raise ConfigError(
                "--output must be a new folder, or go on with the same model, files and options; "
                f"got {self.folder}, which was begun with {' and '.join(others)}"
            )

    def _read(self, blocks: Sequence[CorpusBlock]) -> None:
        """A last line that was cut off is none; a block whose file is not there is not finished."""
        path = self.folder / _FINISHED
        content = path.read_bytes() if path.exists() else b""
        self._length = content.rfind(b"\n") + 1
        for line in content[: self._length].splitlines():
            try:
                done = FinishedBlock.from_dict(parse_json(line.decode()))
                whole = done.records == blocks[done.block].count
            except (KeyError, TypeError, ValueError, IndexError):
                whole = False
            if not whole:
                raise ConfigError(f"{path} must be what this command wrote; it is not")
            file = self.path(done.block)
            if file.exists() and file.stat().st_size == done.bytes:
                self.finished[done.block] = done


def block_path(folder: Path, number: int, suffix: str) -> Path:
    """The file of a block; in the order of their names they are in that of the corpus."""
    return folder / f"block-{number:06d}.{suffix}"


@contextmanager
def named_output(folder: Path) -> Iterator[None]:
    """Make an OSError a DataError that names ``--output``."""
    try:
        yield
    except OSError as error:
        raise DataError(f"--output must be writable; got {error.strerror}", file=folder) from None
