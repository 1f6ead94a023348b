"""What answers blocks: made of plain values, so that it can be sent to any process or machine."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from transduce.commands.answering.chosen_models import chosen_models
from transduce.commands.answering.corpus_models import CorpusModels, CorpusRecord
from transduce.commands.in_blocks.block_folder import FinishedBlock, block_path, named_output
from transduce.commands.in_blocks.block_forms import PARQUET, block_content
from transduce.commands.in_blocks.block_reader import BlockReader
from transduce.commands.in_blocks.corpus_blocks import CorpusBlock
from transduce.commands.predicting.answer_forms import Answer
from transduce.commands.predicting.refused import NAMED
from transduce.commands.predicting.request import Request
from transduce.files import write_bytes

__all__ = ["AnsweredBlock", "BlockWorker"]

_WINDOW = 4096  # records that are searched together, those of like length beside each other


@dataclass(frozen=True)
class AnsweredBlock:
    """A block whose file is written, and why the first records that have no answer have none."""

    block: FinishedBlock
    errors: tuple[str, ...] = ()


class BlockWorker:
    """``form`` names how files are written, in ``folder``, for a request whose
    sources are files. Its models are loaded at the first block that it answers, unless ``models``
    has them; those are not sent.
    """

    def __init__(
        self, request: Request, folder: Path, form: str, models: CorpusModels | None = None
    ) -> None:
        self.request = request
        self.folder = folder
        self.form = form
        self._given = models

    def __reduce__(self) -> tuple[type[BlockWorker], tuple[Request, Path, str]]:
        return BlockWorker, (self.request, self.folder, self.form)

    @cached_property
    def models(self) -> CorpusModels:
        """The models. Raises TransduceError."""
        return self._given or chosen_models(self.request)

    @cached_property
    def _reader(self) -> BlockReader:
        return BlockReader(self.models)

    def answer(self, block: CorpusBlock) -> AnsweredBlock:
        """Write the file of a block. Raises TransduceError."""
        records = self._reader.read(block)
        answers = list(self._answers(records))
        schema = None
        if self.form == PARQUET and self.request.column and block.path.endswith(".parquet"):
            import pyarrow.parquet as pq

            schema = pq.read_schema(block.path)
        nbest = self.models.nbest
        content = block_content(self.form, answers, block.id, nbest, self._reader.table, schema)
        with named_output(self.folder):
            write_bytes(block_path(self.folder, block.number, self.suffix), content)
        first = [answer.outputs[0] for answer in answers]
        errors = [output.error for output in first if output.error]
        withheld = sum(output.withheld for output in first)
        done = FinishedBlock(block.number, len(answers), len(content), len(errors), withheld)
        return AnsweredBlock(done, tuple(errors[:NAMED]))

    @property
    def suffix(self) -> str:
        """That of the files."""
        return "txt" if self.form == "text" else self.form

    def _answers(self, records: list[CorpusRecord]) -> Iterable[Answer]:
        asked, models = self.request, self.models
        found = models.predict((record.source for record in records), _WINDOW)
        for record, outputs in zip(records, found, strict=True):
            source = record.source if isinstance(record.source, str) else None
            yield Answer(
                source,
                outputs,
                models.nbest,
                models.in_files,
                record.row,
                asked.extras,
            )
