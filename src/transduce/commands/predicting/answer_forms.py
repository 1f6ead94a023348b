"""How answers are written: plain lines, JSON lines, a table, or the subtitles of a recording."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Protocol

from transduce.audio.word_times import Word
from transduce.reading.tables.whole_rows import TableRow
from transduce.workflow.predicting.alignments import alignment_text
from transduce.workflow.predicting.output import Output

__all__ = ["FORMS", "Answer", "Form", "csv_line"]

_WHERE_THERE = {
    "words", "language", "error", "confidence", "word_confidence", "withheld",
    "alternatives", "alignments",
}  # fmt: skip
_CUE_LETTERS, _CUE_SECONDS, _PAUSE = 84, 7.0, 0.8  # two lines of 42, as broadcasters have them


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
    first = answer.outputs[0]
    record["text"] = first.text
    if first.withheld:
        record["withheld"] = True
    if first.error:
        record |= {"hypotheses": [], "error": first.error}
    else:
        record["hypotheses"] = [_plain(output) for output in answer.outputs]
    return json.dumps(record, ensure_ascii=False) + "\n"


def _plain(output: Output) -> dict[str, object]:
    """``words``, ``language``, ``error`` and what was asked for only where there are such."""
    values = asdict(output)
    del values["numbers"]  # of no use without the vocabulary
    return {k: v for k, v in values.items() if k not in _WHERE_THERE or _is_there(v)}


def _is_there(value: object) -> bool:
    return value is not None and value is not False and value not in ("", ())


def _columns(nbest: int, extras: Sequence[str]) -> list[str]:
    own = ["source", "output", *(f"output_{number}" for number in range(2, nbest + 1))]
    return [*own, *extras, "error"]


def _csv_head(nbest: int, extras: Sequence[str] = ()) -> str:
    return csv_line(_columns(nbest, extras))


def _tsv_head(nbest: int, extras: Sequence[str] = ()) -> str:
    return _tsv_line(_columns(nbest, extras))


def _vtt_head(nbest: int, extras: Sequence[str] = ()) -> str:
    return "WEBVTT\n\n"


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


def _cues(words: Sequence[Word]) -> list[list[Word]]:
    """Words that are shown together: until a pause, two lines' letters or seven seconds."""
    cues: list[list[Word]] = []
    for word in words:
        now = cues[-1] if cues else []
        letters = sum(len(one.text) + 1 for one in now) + len(word.text)
        new = not now or word.start - now[-1].end > _PAUSE
        if new or letters > _CUE_LETTERS or word.end - now[0].start > _CUE_SECONDS:
            cues.append([word])
        else:
            now.append(word)
    return cues


def _srt(answer: Answer) -> str:
    blocks = [
        f"{number}\n{_stamps(cue, ',')}\n{_spoken(cue)}\n"
        for number, cue in enumerate(_cues(answer.outputs[0].words), 1)
    ]
    return "\n".join(blocks)


def _vtt(answer: Answer) -> str:
    return "".join(
        f"{_stamps(cue, '.')}\n{_spoken(cue)}\n\n" for cue in _cues(answer.outputs[0].words)
    )


def _spoken(cue: Sequence[Word]) -> str:
    """``-->`` would be read as times."""
    return " ".join(word.text for word in cue).replace("-->", "->")


def _stamps(cue: Sequence[Word], mark: str) -> str:
    """When a cue is shown: at least a millisecond, or players leave it out."""
    start = round(1000 * cue[0].start)
    end = max(round(1000 * cue[-1].end), start + 1)
    return f"{_clock(start, mark)} --> {_clock(end, mark)}"


def _clock(milliseconds: int, mark: str) -> str:
    seconds, rest = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}{mark}{rest:03}"


FORMS: dict[str, Form] = {
    "text": Form(".txt", _text),
    "jsonl": Form(".jsonl", _jsonl),
    "csv": Form(".csv", lambda a: csv_line(_row(a)), _csv_head),
    "tsv": Form(".tsv", lambda a: _tsv_line(_row(a)), _tsv_head),
    "srt": Form(".srt", _srt, timed=True, alone=True),
    "vtt": Form(".vtt", _vtt, _vtt_head, timed=True, alone=True),
}
