"""The records of a block, from a file that stays open for the blocks behind it."""

from __future__ import annotations

import contextlib
import itertools
from typing import TYPE_CHECKING

from transduce.commands.answering.corpus_models import (
    CorpusModels,
    CorpusRecord,
    OpenedFile,
)
from transduce.commands.in_blocks.corpus_blocks import CorpusBlock
from transduce.errors import DataError

if TYPE_CHECKING:
    from transduce.reading.tables.whole_tables import Table

__all__ = ["BlockReader"]


class BlockReader:
    """Reads blocks. One that stands behind the last is read on to; for one before it the file is
    opened again.
    """

    def __init__(self, models: CorpusModels) -> None:
        self._models = models
        self._path: str | None = None
        self._place = 0
        self._file = OpenedFile(iter(()))
        self._open = contextlib.ExitStack()

    @property
    def table(self) -> Table | None:
        """That of the block read last."""
        return self._file.table

    def read(self, block: CorpusBlock) -> list[CorpusRecord]:
        """Raises DataError where the file cannot be read, or is another than it was."""
        if block.path != self._path or block.first < self._place:
            self.close()
            self._file = self._open.enter_context(self._models.opened(block.path))
            self._path, self._place = block.path, 0
        skipped = block.first - self._place
        found = list(itertools.islice(self._file.records, skipped, skipped + block.count))
        self._place = block.first + block.count
        if len(found) < block.count:
            raise DataError(
                "file must be as it was when it was counted; it is shorter", file=block.path
            )
        return found

    def close(self) -> None:
        """Close the file."""
        self._open.close()
        self._path = None
