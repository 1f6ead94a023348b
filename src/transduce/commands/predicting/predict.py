"""``transduce predict``: text in, text out, one record for each record read.

Every record is answered. One that cannot be (a line that is too long or no UTF-8, a recording
that is damaged) has an empty line, or a record of JSON that says why, so that line n of the
output belongs to record n of the input; standard error names it, and the command ends with
status 2. What cannot be read at all (a file that is missing or cut off) ends the input: what came
before is answered.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from transduce.commands.arguments import require_file_place, search_options, updated
from transduce.commands.predicting.answer_files import opened_answers
from transduce.commands.predicting.answer_forms import FORMS, Answer, Form
from transduce.commands.predicting.arriving import NotedSources, from_a_pipe, from_a_terminal
from transduce.commands.predicting.table_answers import (
    AskedTable,
    asked_table,
    require_table_form,
)
from transduce.errors import ConfigError, DataError
from transduce.pretrained.published_model import load_trained
from transduce.reading.parts import find_part
from transduce.workflow.asked_details import asked_details
from transduce.workflow.predicting.output import Output
from transduce.workflow.trained import TrainedModel

__all__ = ["Request", "predict"]

_INTERACTIVE, _AHEAD = 1, 4096  # sources read before the first is written
_NAMED = 20  # records without an answer that are named one by one


@dataclass(frozen=True)
class Request:
    """The options of the command, as they were given."""

    model: Path
    sources: Sequence[str] = ("-",)
    output: Path | None = None
    form: str | None = None
    beam: int | None = None
    nbest: int | None = None
    ensemble: Sequence[Path] = ()
    overrides: Sequence[str] = ()
    part: str | None = None
    timings: bool = False
    source_language: str | None = None
    output_folder: Path | None = None
    column: str | None = None
    confidence: bool = False
    least: float | None = None
    alternatives: int = 0
    alignments: bool | str = False


def predict(request: Request) -> None:
    """Read sources, write outputs in their order; flush line by line at a terminal."""
    with contextlib.ExitStack() as files:
        _predict(request, files)


def _predict(request: Request, files: contextlib.ExitStack) -> None:
    form = _form(request)
    _check_places(request)
    _check_asked(request, form)
    trained = load_trained(request.model)
    config = trained.config = updated(trained.config, request.overrides)
    if request.source_language is not None:
        trained = trained.speaking(request.source_language, None)
    options = search_options(config, request.beam, request.nbest)
    in_files = trained.reader.in_files
    _require_recordings(request, form, trained)
    timings = request.timings or form.timed
    details = asked_details(
        trained,
        confidence=request.confidence,
        least=request.least,
        alternatives=request.alternatives,
        alignments=request.alignments,
    )
    part = find_part(config, request.part)
    interactive = from_a_terminal(request.sources)
    table: AskedTable | None = None
    given: Iterator[str | DataError]
    if request.column is None:
        given = trained.reader.given(request.sources, part.data)
    else:
        path, (column, nbest) = request.sources[0], (request.column, options.nbest)
        opened = asked_table(path, column, part.data, request.form, request.output, nbest)
        table = files.enter_context(opened)
        form, given = table.form, table.sources
    sources = NotedSources(given, waiting=from_a_pipe(request.sources))
    if interactive:
        print("reading line by line, each answered at once; Ctrl-D ends", file=sys.stderr)
    window = _INTERACTIVE if interactive else _AHEAD
    if request.ensemble:
        others = [load_trained(path) for path in request.ensemble]
        if request.source_language is not None:
            others = [other.speaking(request.source_language, None) for other in others]
        for other in others:
            other.config = other.config.updated({"engine": config.engine})
        members = [trained, *others]
        predictor = TrainedModel.ensemble(members, request.part, timings=timings)
        found = predictor.predict(sources, options, window=window, keep_going=True)
    else:
        found = trained.predict(
            sources,
            options,
            part=request.part,
            window=window,
            timings=timings,
            keep_going=True,
            details=details,
        )
    withheld = _Withheld(request.least)
    refused = _Refused(at_once=interactive)
    extras = [
        *(["confidence"] if request.confidence else []),
        *(["alignments"] if request.alignments else []),
    ]
    places = request.output, request.output_folder
    with opened_answers(form, *places, options.nbest, extras) as answers:
        for outputs in found:
            name = sources.names.popleft()
            refused.note(outputs[0])
            withheld.note(outputs[0])
            row = None if table is None else table.rows.popleft()
            answers.write(Answer(name, outputs, options.nbest, in_files, row, extras))
            if interactive or not sources.names:  # all that has come is answered
                answers.flush()
    withheld.finish()
    refused.finish(sources.failure)


class _Withheld:
    """The records that are left to a person, said at the end on standard error."""

    def __init__(self, least: float | None) -> None:
        self._least = least
        self._asked = 0
        self._places: list[int] = []

    def note(self, output: Output) -> None:
        """Take in the first output of each record."""
        self._asked += 1
        if output.withheld:
            self._places.append(self._asked)

    def finish(self) -> None:
        """Say how many, and which of them come first."""
        if self._least is None:
            return
        named = ", ".join(f"{place:,}" for place in self._places[:_NAMED])
        more = ", …" if len(self._places) > _NAMED else ""
        which = f" (records {named}{more})" if self._places else ""
        _say(
            f"{len(self._places):,} of {self._asked:,} records are less sure than {self._least:g} "
            f"and left empty{which}"
        )


class _Refused:
    """The records without an answer, named on standard error.

    A single one is the command's own error, said at its end (a person at a terminal is told at
    once).
    """

    def __init__(self, *, at_once: bool) -> None:
        self._asked = self._refused = 0
        self._waiting: str | None = None
        self._at_once = at_once

    def note(self, output: Output) -> None:
        """Take in the first output of each record."""
        self._asked += 1
        if not output.error:
            return
        self._refused += 1
        if self._refused == 1 and not self._at_once:
            self._waiting = output.error
            return
        if self._waiting is not None:
            _say(self._waiting)
            self._waiting = None
        if self._refused <= _NAMED:
            _say(output.error)

    def finish(self, failure: DataError | None) -> None:
        """Raise DataError where not all that was asked for is answered."""
        if failure is not None and self._waiting is not None:
            _say(self._waiting)
        if failure is not None:
            raise failure
        if self._waiting is not None:
            raise DataError(self._waiting)
        if self._refused:
            raise DataError(
                f"all records must be answerable; got {self._refused:,} of "
                f"{self._asked:,} that are not, each with an empty answer"
            )


def _say(error: str) -> None:
    sys.stdout.flush()
    print("transduce:", " ".join(error.splitlines()), file=sys.stderr)


def _form(request: Request) -> Form:
    """How answers are written. Raises ConfigError for a form that there is not, or does not fit."""
    name = request.form or "text"
    if name not in FORMS:
        raise ConfigError(f"--format must be one of {', '.join(FORMS)}; got {name!r}")
    form = FORMS[name]
    if request.column is not None:
        require_table_form(request.form, request.output, request.sources)
        if request.output_folder is not None or request.timings:
            other = "--timings" if request.timings else "--output-dir"
            raise ConfigError(f"{other} must not be given with --column; got both")
    if request.timings and not form.timed and name != "jsonl":
        raise ConfigError(f"--timings must be used with --format jsonl; got {name}")
    return form


def _check_asked(request: Request, form: Form) -> None:
    """Raise ConfigError where what is asked beside outputs has no place, or no model."""
    least = request.least
    if least is not None and not 0 <= least <= 1:
        raise ConfigError(f"--minimum-confidence must be from 0 to 1; got {least:g}")
    asked = {"--confidence": request.confidence, "--alignments": bool(request.alignments)}
    for name in [name for name, is_asked in asked.items() if is_asked]:
        if form.timed:
            raise ConfigError(
                f"{name} must be asked for with --format jsonl, csv, tsv or text; got "
                f"{request.form}"
            )
        if request.column is not None:
            raise ConfigError(
                f"{name} must be asked for without --column; got {request.column!r} too"
            )
    if request.ensemble and request.alignments:
        raise ConfigError("--alignments must be asked of one model; got several (--ensemble)")
    if request.alternatives and (request.form or "text") != "jsonl":
        raise ConfigError(
            f"--alternatives must be asked for with --format jsonl; got {request.form or 'text'}"
        )
    if request.ensemble and request.alternatives:
        raise ConfigError("--alternatives must be asked of one model; got several (--ensemble)")
    if request.ensemble and (request.confidence or least is not None):
        raise ConfigError("confidence must be asked of one model; got several (--ensemble)")


def _require_recordings(request: Request, form: Form, trained: TrainedModel) -> None:
    """Raise ConfigError where subtitles, or a file for each source, are asked of other sources."""
    kind = trained.config.data.input.kind
    if form.timed and kind != "audio":
        raise ConfigError(f"--format {request.form} must be used with recordings; got {kind}")
    if request.output_folder is not None and not trained.reader.in_files:
        raise ConfigError(
            "--output-dir must be used with recordings or pictures; the model reads "
            f"{kind}: --output writes one file for all"
        )


def _check_places(request: Request) -> None:
    sources, output, folder = request.sources, request.output, request.output_folder
    require_file_place(output, "--output")
    if folder is not None:
        if output is not None:
            raise ConfigError(f"--output must not be given with --output-dir; got {output}")
        if os.path.exists(folder) and not os.path.isdir(folder):
            raise ConfigError(f"--output-dir must be a folder; got the file {folder}")
    if output is None or not os.path.exists(output):
        return
    for source in sources:
        if source != "-" and os.path.exists(source) and output.samefile(source):
            raise ConfigError(f"--output must be another file than INPUT; got {output} for both")
