"""The records of a block, from a file that stays open for the blocks behind it."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from dataclasses import dataclass

from transduce.commands.in_blocks.corpus_blocks import CorpusBlock
from transduce.commands.predicting.asked_models import AskedModels
from transduce.errors import DataError
from transduce.reading.tables.whole_rows import TableRow
from transduce.reading.tables.whole_tables import Table, opened_table

__all__ = ["BlockReader", "CorpusRecord"]


@dataclass(frozen=True)
class CorpusRecord:
    """A source, or what is wrong with it; of a table (``--column``) with its row."""

    source: str | DataError
    row: TableRow | None = None


class BlockReader:
    """Reads blocks. One that stands behind the last is read on to; for one before it the file is
    opened again.
    """

    def __init__(self, models: AskedModels, column: str | None) -> None:
        self.table: Table | None = None  # that of the block read last
        self._models = models
        self._column = column
        self._path: str | None = None
        self._place = 0
        self._records: Iterator[CorpusRecord] = iter(())
        self._open = contextlib.ExitStack()

    def read(self, block: CorpusBlock) -> list[CorpusRecord]:
        """Raises DataError where the file cannot be read, or is another than it was."""
        if block.path != self._path or block.first < self._place:
            self.close()
            self._records = self._opened(block.path)
            self._path, self._place = block.path, 0
        skipped = block.first - self._place
        found = list(itertools.islice(self._records, skipped, skipped + block.count))
        self._place = block.first + block.count
        if len(found) < block.count:
            raise DataError(
                "file must be as it was when it was counted; it is shorter", file=block.path
            )
        return found

    def close(self) -> None:
        """Close the file."""
        self._open.close()
        self._path = self.table = None

    def _opened(self, path: str) -> Iterator[CorpusRecord]:
        if self._column is None:
            return map(CorpusRecord, self._models.given([path]))
        data, nbest = self._models.part.data, self._models.options.nbest
        self.table = self._open.enter_context(opened_table(path, self._column, data, nbest))
        return itertools.starmap(CorpusRecord, self.table.rows)
