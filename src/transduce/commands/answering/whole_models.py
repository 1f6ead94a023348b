"""The models of a request, as they are for every command: with torch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from transduce.commands.answering.corpus_models import (
    CorpusRecord,
    OpenedFile,
    model_sums,
)
from transduce.commands.predicting.answer_forms import FORMS
from transduce.commands.predicting.asked_models import AskedModels
from transduce.commands.predicting.request import Request
from transduce.config import require_one_input
from transduce.light.recording import config_name
from transduce.reading.tables.whole_tables import opened_table
from transduce.workflow.predicting.output import Output
from transduce.workflow.teacher_names import teachers_digest

__all__ = ["WholeModels"]


class WholeModels:
    """What answers any request."""

    def __init__(self, request: Request) -> None:
        """Raises TransduceError where a model cannot be read, or not be asked this."""
        self._asked = AskedModels(request, FORMS["jsonl"])
        self._request = request
        require_one_input(self._asked.trained.config, "answers in blocks")

    @property
    def nbest(self) -> int:
        """Outputs for each record."""
        return self._asked.options.nbest

    @property
    def in_files(self) -> bool:
        """Whether sources are names of recordings or pictures."""
        return self._asked.in_files

    @contextmanager
    def opened(self, path: str) -> Iterator[OpenedFile]:
        """A file, or a table of which one column is the source. Raises DataError, ConfigError."""
        column, data = self._request.column, self._asked.part.data
        if column is None:
            yield OpenedFile(map(CorpusRecord, self._asked.given([path])))
            return
        with opened_table(path, column, data, self.nbest) as table:
            yield OpenedFile((CorpusRecord(*found) for found in table.rows), table)

    def predict(self, sources: Iterable[Any], window: int) -> Iterator[list[Output]]:
        """The n-best outputs of each source, in order; what cannot be answered says why."""
        return self._asked.predict(sources, window)

    def names(self) -> dict[str, Any]:
        """Of weights their checksums, or a hash where the folder has none."""
        folders = (self._request.model, *self._request.ensemble)
        weights = [
            model_sums(folder) or teachers_digest([member])[0]
            for folder, member in zip(folders, self._asked.members, strict=True)
        ]
        return {
            "weights": weights,
            "config": config_name(self._asked.config),
            "search": self._asked.options.model_dump(mode="json"),
        }
