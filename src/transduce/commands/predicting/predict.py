"""``transduce predict``: text in, text out, one record for each record read.

Every record is answered. One that cannot be (a line that is too long or no UTF-8, a recording
that is damaged) has an empty line, or a record of JSON that says why, so that line n of the
output belongs to record n of the input; standard error names it, and the command ends with
status 2. What cannot be read at all (a file that is missing or cut off) ends the input: what came
before is answered.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

from transduce.commands.predicting.answer_files import opened_answers
from transduce.commands.predicting.answer_forms import Answer
from transduce.commands.predicting.arriving import NotedSources, from_a_pipe, from_a_terminal
from transduce.commands.predicting.asked_models import AskedModels
from transduce.commands.predicting.refused import NAMED, Refused, say_error
from transduce.commands.predicting.request import (
    Request,
    asked_form,
    require_places,
    require_together,
)
from transduce.commands.predicting.table_answers import AskedTable, asked_table
from transduce.errors import DataError
from transduce.workflow.predicting.output import Output

__all__ = ["Request", "predict"]

_INTERACTIVE, _AHEAD = 1, 4096  # sources read before the first is written


def predict(request: Request) -> None:
    """Read sources, write outputs in their order; flush line by line at a terminal."""
    with contextlib.ExitStack() as files:
        _predict(request, files)


def _predict(request: Request, files: contextlib.ExitStack) -> None:
    form = asked_form(request)
    require_places(request)
    require_together(request, form)
    models = AskedModels(request, form)
    nbest = models.options.nbest
    interactive = from_a_terminal(request.sources)
    table: AskedTable | None = None
    given: Iterator[str | DataError]
    if request.column is None:
        given = models.given(request.sources)
    else:
        path, data = request.sources[0], models.part.data
        opened = asked_table(path, request.column, data, request.form, request.output, nbest)
        table = files.enter_context(opened)
        form, given = table.form, table.sources
    sources = NotedSources(given, waiting=from_a_pipe(request.sources))
    if interactive:
        print("reading line by line, each answered at once; Ctrl-D ends", file=sys.stderr)
    found = models.predict(sources, _INTERACTIVE if interactive else _AHEAD)
    withheld = _Withheld(request.least)
    refused = Refused(at_once=interactive)
    extras = request.extras
    places = request.output, request.output_folder
    with opened_answers(form, *places, nbest, extras) as answers:
        for outputs in found:
            name = sources.names.popleft()
            refused.note(outputs[0])
            withheld.note(outputs[0])
            row = None if table is None else table.rows.popleft()
            answers.write(Answer(name, outputs, nbest, models.in_files, row, extras))
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
        named = ", ".join(f"{place:,}" for place in self._places[:NAMED])
        more = ", …" if len(self._places) > NAMED else ""
        which = f" (records {named}{more})" if self._places else ""
        say_error(
            f"{len(self._places):,} of {self._asked:,} records are less sure than {self._least:g} "
            f"and left empty{which}"
        )
