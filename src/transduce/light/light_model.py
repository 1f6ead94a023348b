"""From texts to texts with a record, a model directory and the kernels: no torch, no recipe."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transduce.errors import DataError, ModelError, TransduceError
from transduce.files import SUMS, Sums, place, read_as_one
from transduce.files.regular import read_small
from transduce.interfaces import Ended
from transduce.kernels.library import load_library
from transduce.kernels.running.beam_plans import beam_plan, decoded_together, limits
from transduce.light.listed_symbols import reading, writing
from transduce.light.noted_options import NotedSearch, noted_limits
from transduce.light.notes.noted_numbers import count_of, counts_of
from transduce.light.prediction_records import record_key
from transduce.light.searches.searching import NotedModel
from transduce.reading.formats import format_of
from transduce.reading.sources import keyed_or_errors, lines_or_errors
from transduce.tokenization.stored_pipeline import stored_text
from transduce.tokenization.tokenizer import Tokenizer
from transduce.untrusted.tensors import TensorFile
from transduce.workflow.model_folder import WEIGHTS, checked
from transduce.workflow.predicting.output import EMPTY, Output, unanswered
from transduce.workflow.predicting.source_limits import SourceLimits, shortage_explained
from transduce.workflow.predicting.source_rows import read_ahead, source_rows

__all__ = ["NOT_OURS", "LightModel", "handed_model", "known_model"]

_LOG = logging.getLogger("transduce")
NOT_OURS = (
    *(TransduceError, OSError, ArithmeticError, LookupError),
    *(TypeError, ValueError, AttributeError, MemoryError),
)


def known_model(folder: Path) -> LightModel | None:
    """The model of a directory that was predicted with before; None for the ordinary way.

    Whatever is wrong with the record or the directory, the ordinary way says.
    """
    key = record_key(folder)
    record = None if key is None else key.read()
    if record is None:
        _LOG.debug("%s has no record yet", folder)
        return None
    try:
        return read_as_one(folder, lambda: LightModel.load(folder, record))
    except NOT_OURS as error:
        _LOG.debug("%s is loaded anew: %s", folder, error)
        return None


def handed_model(folder: Path, name: str, record: Mapping[str, Any]) -> LightModel | None:
    """The model of a directory by the record that another process made of it; None where it cannot
    be had, or the directory holds another by now. ``name`` is that of the record's key.
    """
    try:
        model = read_as_one(folder, lambda: LightModel.load(folder, record))
    except NOT_OURS as error:
        _LOG.debug("%s cannot be loaded: %s", folder, error)
        return None
    key = record_key(folder)
    return model if key is not None and key.name == name else None


@dataclass(frozen=True)
class _Front:
    """What stands in front of every source."""

    text: str

    def source(self, text: str) -> str:
        """The source with it."""
        return self.text + text


@dataclass(frozen=True)
class NotedNames:
    """What names the recipe, and all options of its search."""

    config: str
    search: Mapping[str, Any]


@dataclass(frozen=True)
class LightModel:
    """A model of texts whose searches the kernels make as a whole.

    ``key`` names the source in records that have names, where the recipe has one.
    """

    model: NotedModel
    source: Tokenizer
    target: Tokenizer
    search: NotedSearch
    limits: SourceLimits
    front: _Front
    prefix: tuple[int, ...]
    free: int
    banned_first: tuple[int, ...]
    unwritten: int
    key: str | None
    named: NotedNames

    @classmethod
    def load(cls, folder: Path, record: Mapping[str, Any]) -> LightModel:
        """Raises ModelError and others where record, files and their checksums do not fit."""
        sides = record["tokenizers"]
        sums = Sums.read(place(folder, SUMS)) or Sums()
        if not 1 <= len(sides) <= 2 or WEIGHTS not in sums:
            raise ModelError(f"{SUMS} must list the model's files")
        with checked(folder, [WEIGHTS]):
            with TensorFile(place(folder, WEIGHTS)) as file:
                model = NotedModel(load_library(), record["engine"], file)
            read, written = (_text(folder, str(s["file"]), sums) for s in (sides[0], sides[-1]))
            source = reading(read, sides[0]["options"])
            target = writing(written, sides[-1]["options"])
        return cls(
            model,
            source,
            target,
            NotedSearch.of(record["search"]),
            noted_limits(record["limits"]),
            _Front(str(record["front"])),
            counts_of(record["prefix"]),
            count_of(record["free"]),
            counts_of(record["banned_first"]),
            count_of(record["unwritten"]),
            None if record["key"] is None else str(record["key"]),
            NotedNames(str(record["config"]), record["search"]),
        )

    def reads(self, path: str) -> bool:
        """Whether the records of a file are lines, or rows with the source under a known name."""
        kind = format_of(Path(path))
        return kind is None or (kind == "parquet" and self.key is not None)

    def given(self, path: str) -> Iterator[str | DataError]:
        """Each record of a file that it :meth:`reads`. Raises DataError where the file, or the
        rest of it, cannot be read.
        """
        if self.key is None or format_of(Path(path)) is None:
            return lines_or_errors(path)
        return keyed_or_errors(path, "parquet", self.key)

    def predict(
        self,
        sources: Iterable[str | DataError],
        options: NotedSearch,
        *,
        window: int = 4096,
        keep_going: bool = False,
    ) -> Iterator[list[Output]]:
        """As ``TrainedModel.predict``."""
        options, given = options.capped(self.limits.outputs), iter(sources)
        while asked := read_ahead(given, window):
            rows = source_rows(asked, self.source, self.front, options, self.limits)
            if not keep_going:
                for row in rows:
                    if isinstance(row, DataError):
                        raise row
            found = iter(self._decoded([row for row in rows if isinstance(row, list)], options))
            for row in rows:
                if isinstance(row, DataError):
                    yield [unanswered(row)]
                else:
                    yield [EMPTY] if row is None else next(found)

    def _decoded(self, rows: Sequence[list[int]], options: NotedSearch) -> list[list[Output]]:
        outputs: list[list[Output]] = [[] for _ in rows]
        lengths = [len(row) + 1 for row in rows]  # END counts
        for places in decoded_together(lengths, options.batch_tokens, options.beam):
            together = [rows[number] for number in places]
            plan = beam_plan(
                [limits(len(row), options, len(self.prefix)) for row in together],
                options,
                prefix=self.prefix,
                free=self.free,
                banned_first=self.banned_first,
            )
            with shortage_explained():
                found = self.model.search(together, plan)
            for number, ended in zip(places, found, strict=True):
                outputs[number] = [self._output(one) for one in ended[: options.nbest]]
        return outputs

    def _output(self, ended: Ended) -> Output:
        tokens, scores = ended.tokens, ended.token_scores
        return Output(
            text=self.target.decode(tokens[self.unwritten :]),
            tokens=tuple(self.target.symbols(tokens)),
            score=ended.score,
            log_probability=sum(scores),
            token_scores=scores,
            finished=ended.finished,
            numbers=tokens,
        )


def _text(folder: Path, name: str, sums: Sums) -> str:
    """A tokenizer's file that is what it was when it was noted, and so was looked through then."""
    path = place(folder, name)
    content = read_small(path)
    if hashlib.sha256(content).hexdigest() != sums.get(name):
        raise ModelError(f"{folder / name} must be the file that was saved")
    return stored_text(path, content)
