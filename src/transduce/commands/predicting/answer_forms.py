"""How answers are written: plain lines, JSON lines, a table, or the subtitles of a recording."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from transduce.audio.subtitles import VTT_HEAD, srt_text, vtt_text
from transduce.workflow.predicting.output import Output, alignment_text, answer_record

if TYPE_CHECKING:
    from transduce.reading.tables.whole_rows import TableRow

__all__ = ["FORMS", "Answer", "Form", "csv_line"]


@dataclass(frozen=True)
class Answer:
    """What was asked, the outputs, best first, and of how many hypotheses there may be.

    ``source`` is a text, or the path of a recording or picture (``in_file``), or None where
    nothing could be read. ``row`` is that of the table where it stands (``--column``);
    ``extras`` were asked for beside the texts: ``confidence``, ``alignments``.
    """

    source: str | None
    outputs: Sequence[Output]
    nbest: int = 1
    in_file: bool = False
    row: TableRow | None = None
    extras: Sequence[str] = ()

    def texts(self) -> list[str]:
        """As many as there may be hypotheses, whatever was found."""
        found = [output.text for output in self.outputs]
        return found + [""] * (self.nbest - len(found))

    def extra(self, name: str) -> str:
        """One of ``extras`` of the first output, as text; "" where there is none."""
        if name == "alignments":
            return alignment_text(self.outputs[0].alignments)
        sure = self.outputs[0].confidence
        return "" if sure is None else f"{sure:.4f}"


class Head(Protocol):
    """What a file begins with, for so many hypotheses and these extras."""

    def __call__(self, nbest: int, extras: Sequence[str] = ()) -> str:
        """The text."""
        ...


def _no_head(nbest: int, extras: Sequence[str] = ()) -> str:
    return ""


@dataclass(frozen=True)
class Form:
    """One way to write answers. ``suffix`` names files; ``timed``: it needs times of words.

    ``head`` is what a file begins with, ``record`` one answer. ``alone``: a file holds one answer.
    """

    suffix: str
    record: Callable[[Answer], str]
    head: Head = _no_head
    timed: bool = False
    alone: bool = False


def _text(answer: Answer) -> str:
    """One line a source; with several hypotheses, tab-separated on that line, best first.

    How sure the model is comes before them, the alignments of each behind it.
    """
    lines = []
    for output in answer.outputs:
        lines.append(" ".join(output.text.splitlines()))
        if "alignments" in answer.extras:
            lines.append(alignment_text(output.alignments))
    if "confidence" in answer.extras:
        lines = [answer.extra("confidence"), *lines]
    if len(lines) > 1:
        lines = [line.replace("\t", " ") for line in lines]
    return "\t".join(lines) + "\n"


def _jsonl(answer: Answer) -> str:
    record: dict[str, object] = {"source": answer.source} if answer.in_file else {}
    if answer.source is None:
        record = {}
    return json.dumps(record | answer_record(answer.outputs), ensure_ascii=False) + "\n"


def _columns(nbest: int, extras: Sequence[str]) -> list[str]:
    own = ["source", "output", *(f"output_{number}" for number in range(2, nbest + 1))]
    return [*own, *extras, "error"]


def _csv_head(nbest: int, extras: Sequence[str] = ()) -> str:
    return csv_line(_columns(nbest, extras))


def _tsv_head(nbest: int, extras: Sequence[str] = ()) -> str:
    return _tsv_line(_columns(nbest, extras))


def _vtt_head(nbest: int, extras: Sequence[str] = ()) -> str:
    return VTT_HEAD


def _row(answer: Answer) -> list[str]:
    """As many columns as the head has, whatever was found."""
    extras = map(answer.extra, answer.extras)
    return [answer.source or "", *answer.texts(), *extras, answer.outputs[0].error]


def csv_line(cells: Sequence[str], delimiter: str = ",") -> str:
    """A line of CSV, its end included."""
    line = io.StringIO()
    # "\r" inside a cell is quoted only where it ends lines
    csv.writer(line, lineterminator="\r\n", delimiter=delimiter).writerow(cells)
    return line.getvalue()[:-2] + "\n"


def _tsv_line(cells: Sequence[str]) -> str:
    """Tabs and ends of lines inside a cell become spaces: a TSV has no quotes."""
    return "\t".join(" ".join(cell.replace("\t", " ").splitlines()) for cell in cells) + "\n"


FORMS: dict[str, Form] = {
    "text": Form(".txt", _text),
    "jsonl": Form(".jsonl", _jsonl),
    "csv": Form(".csv", lambda a: csv_line(_row(a)), _csv_head),
    "tsv": Form(".tsv", lambda a: _tsv_line(_row(a)), _tsv_head),
    "srt": Form(".srt", lambda a: srt_text(a.outputs[0].words), timed=True, alone=True),
    "vtt": Form(".vtt", lambda a: vtt_text(a.outputs[0].words), _vtt_head, timed=True, alone=True),
}
