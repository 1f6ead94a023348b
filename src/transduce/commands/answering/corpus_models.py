"""What answers a corpus, as those see it who cut it into blocks and write the answers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from transduce.files import SUMS, place
from transduce.workflow.predicting.output import Output

if TYPE_CHECKING:
    from transduce.reading.tables.whole_rows import TableRow
    from transduce.reading.tables.whole_tables import Table

__all__ = ["CorpusModels", "CorpusRecord", "OpenedFile", "model_sums"]


@dataclass(frozen=True)
class CorpusRecord:
    """A source, or what is wrong with it (a DataError); of a table (``--column``) with its row."""

    source: Any
    row: TableRow | None = None


@dataclass(frozen=True)
class OpenedFile:
    """The records of a file, and the table that they are of (``--column``)."""

    records: Iterator[CorpusRecord]
    table: Table | None = None


class CorpusModels(Protocol):
    """What reads the records of a corpus and answers them."""

    @property
    def nbest(self) -> int:
        """Outputs for each record."""
        ...

    @property
    def in_files(self) -> bool:
        """Whether sources are names of recordings or pictures."""
        ...

    def opened(self, path: str) -> AbstractContextManager[OpenedFile]:
        """A file. Raises DataError where it cannot be read to its end, ConfigError."""
        ...

    def predict(self, sources: Iterable[Any], window: int) -> Iterator[list[Output]]:
        """The n-best outputs of each source, in order; what cannot be answered says why."""
        ...

    def names(self) -> dict[str, Any]:
        """What names ``weights``, ``config`` and ``search``, the same whoever answers."""
        ...


def model_sums(folder: Path) -> str:
    """The checksums of all that a model's folder holds; "" where it has none."""
    path = place(folder, SUMS)
    return path.read_text(encoding="utf-8") if path.is_file() else ""
