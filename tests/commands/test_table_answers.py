"""``predict --column``: a column of a table in, the same table out with outputs behind."""

from __future__ import annotations

import csv
import io
import json
from datetime import date
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from command_line import call, feed
from recordings import write_recording
from reversal_run import Run

Patch, Capture = pytest.MonkeyPatch, pytest.CaptureFixture[str]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: Patch) -> Path:
    """A folder to stand in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_cell_of_a_csv_is_kept(
    run: Run, place: Path, monkeypatch: Patch, capsys: Capture
) -> None:
    rows = [["id", "word", "note"], ["1", "ab", 'a "b"; c\n2'], ["02", "", "x\ry"], ["3", "bc", ""]]
    with Path("in.csv").open("w", newline="") as file:
        csv.writer(file, delimiter=";").writerows(rows)
    assert call(monkeypatch, "predict", run.folder, "in.csv", "--column", "word") == 0
    found = list(csv.reader(io.StringIO(capsys.readouterr().out, newline=""), delimiter=";"))
    assert [row[:3] for row in found] == rows
    call(monkeypatch, "predict", run.folder, "-", feeding(monkeypatch, "ab\n\nbc\n"))
    lines = capsys.readouterr().out.split("\n")[:3]
    assert [row[3] for row in found] == ["output", *lines]
    # by number, where no line names the columns; to another form by the name of the output
    Path("in.tsv").write_text("1\tab\n2\tbc\n")
    arguments = ("in.tsv", "--column", "1", "--output", "out.csv")
    assert call(monkeypatch, "predict", run.folder, *arguments) == 0
    assert Path("out.csv").read_text() == f"1,ab,{lines[0]}\n2,bc,{lines[2]}\n"


def feeding(monkeypatch: Patch, text: str) -> str:
    """Put text at standard input; the argument of the command that reads it."""
    feed(monkeypatch, text)
    return "data.on_error=stop"


def test_json_lines_stay_to_the_letter(
    run: Run, place: Path, monkeypatch: Patch, capsys: Capture
) -> None:
    lines = ['{"id": 1.50, "x": {"y": "ab"} , "e":"\\u00e9" }', '{"x": {"y": 7}}', '{"x.y": "bc"}']
    Path("in.jsonl").write_text("\n".join(lines) + "\n")
    assert call(monkeypatch, "predict", run.folder, "in.jsonl", "--column", "x.y") == 2
    said = capsys.readouterr()
    first, second, third = said.out.splitlines()
    assert first.startswith('{"id": 1.50, "x": {"y": "ab"} , "e":"\\u00e9", "output": "')
    assert json.loads(second)["x"] == {"y": 7}
    assert json.loads(second)["output"] == ""
    assert "'x.y' must be text; got 7" in json.loads(second)["error"]
    assert json.loads(third)["output"]
    assert "in.jsonl, line 2: 'x.y' must be text; got 7" in said.err
    # keys of which the first record has none have no column
    arguments = ("in.jsonl", "--column", "x.y", "--format", "tsv")
    assert call(monkeypatch, "predict", run.folder, *arguments) == 2
    said = capsys.readouterr()
    assert said.out.startswith("id\tx\te\toutput\n1.5\t")
    assert "got 'x.y', which is left out (--format jsonl keeps it)" in said.err


def test_workbooks_and_parquet(run: Run, place: Path, monkeypatch: Patch, capsys: Capture) -> None:
    book = openpyxl.Workbook()
    for row in (["word", "n"], ["ab", 2], [None, None], ["bc", 0.5]):
        book.active.append(row)  # type: ignore[union-attr]
    book.save("in.xlsx")
    assert call(monkeypatch, "predict", run.folder, "in.xlsx", "--column", "word") == 0
    found = list(csv.reader(io.StringIO(capsys.readouterr().out)))
    assert [row[:2] for row in found] == [["word", "n"], ["ab", "2"], ["", ""], ["bc", "0.5"]]
    texts = [row[2] for row in found[1:]]

    days = [date(2024, 3, 1), None, date(2024, 3, 2)]
    columns = {"day": days, "n": [1, 2, 3], "word": ["ab", None, "bc"], "tags": [["N"], [], None]}
    pq.write_table(pa.table(columns), "in.parquet")
    assert call(monkeypatch, "predict", run.folder, "in.parquet", "--column", "word") == 2
    said = capsys.readouterr()
    first, second, third = map(json.loads, said.out.splitlines())
    word = {"day": "2024-03-01", "n": 1, "word": "ab", "tags": ["N"], "output": texts[0]}
    assert first == word
    assert (second["n"], second["word"], second["output"]) == (2, None, "")
    assert third == {**word, "day": "2024-03-02", "n": 3, "word": "bc", "tags": None} | {
        "output": texts[2]
    }
    assert "in.parquet, line 2: 'word' must be text; got null" in said.err


def test_a_name_that_is_taken_and_rows_of_other_widths(
    run: Run, place: Path, monkeypatch: Patch, capsys: Capture
) -> None:
    feed(monkeypatch, "word,output\nab,1\nbc\nab,2,3\n")
    arguments = ("--column", "word", "--format", "csv", "--nbest", "2")
    assert call(monkeypatch, "predict", run.folder, "-", *arguments) == 2
    said = capsys.readouterr()
    found = list(csv.reader(io.StringIO(said.out)))
    assert found[0] == ["word", "output", "prediction", "prediction_2"]
    assert found[1][:2] == ["ab", "1"]
    assert found[2][:2] == ["bc", ""]
    assert found[2][2]
    assert found[3] == ["ab", "2", "3"]
    assert "has a column of outputs already; the new one is 'prediction'" in said.err
    assert "standard input, line 4: line must have 2 columns like the first; got 3" in said.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["t.csv", "--column", "wrod"], "t.csv: table must have the column 'wrod'; got word, n"),
        (["t.csv", "--column", "2"], "table must have the column 2, from 0; got 2 columns"),
        (["t.jsonl", "--column", "n"], "t.jsonl: table must have the column 'n'; got word"),
        (["t.parquet", "--column", "n"], "table must have the column 'n'; got word, m"),
        (["t.parquet", "--column", "m"], "column 'm' must hold text; got int64"),
        (["t.txt", "--column", "word"], "--column must be one of a table (csv, tsv, jsonl"),
        (["none.csv", "--column", "word"], "file must exist; got no such file"),
        (["empty.csv", "--column", "word"], "table must have a header that names 'word'"),
        (["twice.csv", "--column", "a"], "table must have the column 'a' once; got a, a"),
        (["t.csv", "t.csv", "--column", "word"], "INPUT must be one file with --column; got 2"),
        (["t.csv", "--column", "word", "--format", "srt"], "--format must be csv, tsv or jsonl"),
        (["t.csv", "--column", "word", "--output", "o.xlsx"], "--output must be named .csv, .tsv"),
        (["t.csv", "--column", "word", "--output-dir", "o"], "--output-dir must not be given with"),
        ([".", "--column", "word"], "--column must be one of a file with a table; got the folder"),
        (["t.csv", "--column", "word", "data.source=[a,b]"], "one of a, b: without --column these"),
        (["-", "--column", "word", "data.format=xlsx"], "xlsx must be a file; got standard input"),
    ],
)
def test_what_is_no_table(
    run: Run,
    place: Path,
    monkeypatch: Patch,
    capsys: Capture,
    arguments: list[str],
    message: str,
) -> None:
    Path("t.csv").write_text("word,n\nab,1\n")
    Path("twice.csv").write_text("a,a\nab,1\n")
    Path("t.jsonl").write_text('{"word": "ab"}\n')
    Path("t.txt").write_text("ab\nbc\n")
    Path("empty.csv").write_text("")
    pq.write_table(pa.table({"word": ["ab"], "m": [1]}), "t.parquet")
    assert call(monkeypatch, "predict", run.folder, *arguments) == 2
    said = capsys.readouterr()
    assert message in said.err
    assert said.err.count("\n") == 1
    assert not said.out


def test_a_column_of_paths(hearing: Path, place: Path, monkeypatch: Patch, capsys: Capture) -> None:
    (place / "calls").mkdir()
    write_recording(place / "calls" / "a.wav", "ab", 3)
    Path("calls/list.csv").write_text("who,file\nme,a.wav\nyou,b.wav\n")
    arguments = ("calls/list.csv", "--column", "file")
    assert call(monkeypatch, "predict", hearing / "model", *arguments) == 2
    said = capsys.readouterr()
    found = list(csv.reader(io.StringIO(said.out)))
    assert [row[:2] for row in found] == [["who", "file"], ["me", "a.wav"], ["you", "b.wav"]]
    assert found[1][2]
    assert not found[2][2]
    assert "b.wav" in said.err
