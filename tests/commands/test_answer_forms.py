"""Answers as tables and subtitles, and a file for each recording."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from command_line import call, feed
from recordings import write_recording
from reversal_run import Run
from transduce.audio.word_times import Word
from transduce.commands.predicting.answer_forms import FORMS, Answer
from transduce.workflow.predicting.output import Output, unanswered

Patch, Capture = pytest.MonkeyPatch, pytest.CaptureFixture[str]


def output(text: str, *words: Word) -> Output:
    return Output(text, (), 0.0, 0.0, (), words=words)


def said(*spans: tuple[str, float, float]) -> Answer:
    words = [Word(*span) for span in spans]
    return Answer("call.wav", [output(" ".join(w.text for w in words), *words)], in_file=True)


def test_a_table_has_sources_outputs_and_reasons() -> None:
    answers = [
        Answer('a "b", c', [output("x\ny"), output("z")], 3),
        Answer(None, [unanswered(ValueError("too long"))], 3),
    ]
    form = FORMS["csv"]
    written = form.head(3) + "".join(map(form.record, answers))
    assert list(csv.reader(io.StringIO(written))) == [
        ["source", "output", "output_2", "output_3", "error"],
        ['a "b", c', "x\ny", "z", "", ""],
        ["", "", "", "", "too long"],
    ]
    form = FORMS["tsv"]
    assert form.head(1) == "source\toutput\terror\n"
    assert form.record(Answer("a\tb", [output("x\ny")])) == "a b\tx y\t\n"


def test_subtitles_are_cut_at_pauses_letters_and_seconds() -> None:
    pause = said(("good", 0.0, 0.25), ("morning", 0.3, 0.9), ("all", 3661.0, 3661.5))
    assert FORMS["srt"].record(pause) == (
        "1\n00:00:00,000 --> 00:00:00,900\ngood morning\n\n2\n01:01:01,000 --> 01:01:01,500\nall\n"
    )
    assert FORMS["vtt"].head(1) + FORMS["vtt"].record(pause) == (
        "WEBVTT\n\n00:00:00.000 --> 00:00:00.900\ngood morning\n\n"
        "01:01:01.000 --> 01:01:01.500\nall\n\n"
    )
    long = said(*((f"{'w' * 20}{n}", n / 10, n / 10 + 0.1) for n in range(6)))
    assert FORMS["srt"].record(long).count("-->") == 2
    slow = said(*(("w", float(n), n + 0.9) for n in range(10)))
    assert FORMS["srt"].record(slow).count("-->") == 2
    # no marks of time in what is said, and no cue of no length
    odd = said(("-->", 1.0, 1.0))
    assert FORMS["srt"].record(odd) == "1\n00:00:01,000 --> 00:00:01,001\n->\n"
    assert FORMS["srt"].record(Answer("a.wav", [unanswered(ValueError("x"))])) == ""


def test_a_table_from_the_command(run: Run, monkeypatch: Patch, capsys: Capture) -> None:
    feed(monkeypatch, "ab\nbc\n")
    assert call(monkeypatch, "predict", run.folder, "-", "--format", "csv", "--nbest", "2") == 0
    rows = list(csv.reader(io.StringIO(capsys.readouterr().out)))
    assert rows[0] == ["source", "output", "output_2", "error"]
    assert [row[:2] for row in rows[1:]] == [["ab", "ba"], ["bc", "cb"]]
    assert all(row[2] and not row[3] for row in rows[1:])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--format", "xml"],
            "--format must be one of text, jsonl, csv, tsv, srt, vtt; got 'xml'",
        ),
        (["--format", "srt"], "--format srt must be used with recordings; got text"),
        (
            ["--output-dir", "out"],
            "--output-dir must be used with recordings or pictures; the model reads "
            "text: --output writes one file for all",
        ),
        (
            ["--output-dir", "out", "--output", "x"],
            "--output must not be given with --output-dir; got x",
        ),
        (["--output-dir", "full"], "--output-dir must be a folder; got the file full"),
    ],
)
def test_what_does_not_fit_is_refused(
    options: list[str], message: str, run: Run, monkeypatch: Patch, capsys: Capture, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "full").touch()
    feed(monkeypatch, "ab\n")
    assert call(monkeypatch, "predict", run.folder, "-", *options) == 2
    assert message in capsys.readouterr().err


def test_a_file_for_each_recording(hearing: Path, monkeypatch: Patch, tmp_path: Path) -> None:
    other = tmp_path / "more"
    other.mkdir()
    same_name = write_recording(other / "0.wav", "b", 5)
    sources = (hearing / "0.wav", hearing / "1.wav", same_name)
    out = tmp_path / "new" / "subtitles"
    given = ("--output-dir", out, "--format", "vtt", "search.max_length=6")
    assert call(monkeypatch, "predict", hearing / "model", *sources, *given) == 0
    assert sorted(path.name for path in out.iterdir()) == ["0-2.vtt", "0.vtt", "1.vtt"]
    assert all(path.read_text().startswith("WEBVTT\n\n") for path in out.iterdir())


def test_subtitles_of_several_recordings_need_a_folder(
    hearing: Path, monkeypatch: Patch, capsys: Capture, tmp_path: Path
) -> None:
    one, two = hearing / "0.wav", hearing / "1.wav"
    file = tmp_path / "call.srt"
    given = ("--format", "srt", "--output", file, "search.max_length=6")
    assert call(monkeypatch, "predict", hearing / "model", one, *given) == 0
    assert call(monkeypatch, "predict", hearing / "model", one, two, *given) == 2
    assert "--output-dir names a folder for a file of each" in capsys.readouterr().err
