"""Excel's workbooks: what is read of them, and what is refused before anything is built of it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from transduce.automatic.looking.layouts import understand
from transduce.config import DataConfig
from transduce.errors import DataError
from transduce.reading.pair_files import Problems, read_pairs
from transduce.reading.sources import sources_or_errors
from workbook_files import cells, members, sheet, workbook

WORDS = ("<c t='s'><v>0</v></c><c t='s'><v>1</v></c>", cells(["two  words", "sdrow owt"]))


def written(path: Path, *rows: str, texts: tuple[str, ...] = ("<cat>", "tac"), **more: Any) -> Path:
    path.write_bytes(workbook(members(sheet(*rows), texts, **more)))
    return path


def read(path: Path, problems: Problems | None = None, **options: Any) -> list[tuple[Any, ...]]:
    config = DataConfig.model_validate(options)
    pairs = read_pairs(path, config, problems or Problems("stop"))
    return [(pair.source, pair.target, pair.line) for pair in pairs]


def test_pairs_stand_in_the_first_sheet(tmp_path: Path) -> None:
    path = written(tmp_path / "a.xlsx", *WORDS, second=sheet(cells(["no", "on"])))
    assert read(path) == [("<cat>", "tac", 1), ("two  words", "sdrow owt", 2)]
    path.rename(tmp_path / "a.bin")
    assert len(read(tmp_path / "a.bin", format="xlsx")) == 2


def test_cells_are_texts_as_a_person_reads_them(tmp_path: Path) -> None:
    values = (
        "<c><v>12</v></c>",
        "<c><v>0.30000000000000004</v></c>",
        "<c t='b'><v>1</v></c>",
        "<c s='1'><v>45352</v></c>",
        "<c s='2'><v>45352.5</v></c>",
        "<c s='3'><v>0.25</v></c>",
        "<c t='str'><f>1&amp;2</f><v>12</v></c>",
        "<c t='e'><v>#N/A</v></c>",
        "<c><f>NOW()</f></c>",
        cells(["end"]),
    )
    path = written(tmp_path / "a.xlsx", "".join(values))
    wanted = ["12", "0.3", "TRUE", "2024-03-01", "2024-03-01 12:00:00", "06:00:00", "12", "#N/A"]
    assert [read(path, source=n, target=9)[0][0] for n in range(8)] == wanted
    with pytest.raises(DataError, match="source must be text; got nothing"):  # never computed
        read(path, source=8, target=9)


def test_empty_rows_and_a_header(tmp_path: Path) -> None:
    name, rows = tmp_path / "a.xlsx", (*WORDS, "<row r='9'><c s='1'/></row>")
    path = written(name, cells(["word", "drow"]), "", "", *rows)
    named = {"header": True, "source": "word", "target": "drow"}
    assert [line for *_, line in read(path, **named)] == [4, 5]
    config = DataConfig.model_validate(named)
    assert list(sources_or_errors(path, config)) == ["", "", "<cat>", "two  words"]
    only = written(tmp_path / "b.xlsx", cells(["a"]), "", cells(["b"]), cells(["", "", "c"]))
    found = list(sources_or_errors(only, DataConfig()))
    assert found == ["a", "", "b", ""]


def test_rows_as_wide_as_the_first(tmp_path: Path) -> None:
    rows = (cells(["a", "b"]), cells(["c"]), cells(["d", "e", "stray"]), cells(["f", "g"]))
    problems = Problems("skip")
    assert [s for s, *_ in read(written(tmp_path / "a.xlsx", *rows), problems)] == ["a", "f"]
    assert problems.counts == {"empty target": 1, "wrong number of columns": 1}


def test_a_workbook_in_the_place_of_a_recipe(tmp_path: Path) -> None:
    rows = [cells(["id", "word", "plural"]), *(cells([str(n), f"w{n}", f"w{n}s"]) for n in "123")]
    path = written(tmp_path / "a.xlsx", *rows, second=sheet())
    found = understand([str(path)])
    assert found.data == {"format": "xlsx", "header": True, "source": 1, "target": 2}
    assert found.lines[0] == "a.xlsx: 3 columns in the sheet One, the first of 2"
    for rows, message in ([], "got an empty sheet"), ([cells(["a"])], "two columns, source and"):
        with pytest.raises(DataError, match=message):
            understand([str(written(path, *rows))])


# ---------------------------------------------------------------- refused

DOCTYPE = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">]>'


def hostile() -> Iterator[tuple[str, dict[str, bytes], str]]:
    plain = members(sheet(*WORDS), ("a", "b"))
    one = "xl/worksheets/s1.xml"
    yield "entities", members(sheet(*WORDS, before=DOCTYPE)), f"no document type in {one}; got one"
    yield (
        "entities of texts",
        plain | {"xl/sharedStrings.xml": DOCTYPE.encode() + plain["xl/sharedStrings.xml"]},
        "no document type in xl/sharedStrings.xml",
    )
    yield (
        "row numbers",
        members(sheet("<row r='1048577'></row>")),
        "rows with ascending numbers up to 1,048,576; got '1048577'",
    )
    yield "rows that descend", members(sheet("<row r='3'/>", "<row r='2'/>")), "ascending numbers"
    yield "rows of no number", members(sheet("<row r='inf'/>")), "ascending numbers"
    yield "cells", members(sheet("<c/>" * 100_001)), "at most 100,000 elements in a row; got more"
    yield "depth", members(sheet("<c>" * 70 + "</c>" * 70)), "XML of at most 64 levels"
    styles = plain["xl/styles.xml"].replace(b"<cellXfs>", b"<cellXfs>" + b"<xf/>" * 100_001)
    yield "styles", plain | {"xl/styles.xml": styles}, "at most 100,000 elements in xl/styles.xml"
    huge = plain | {"xl/styles.xml": b"<a>" + b"x" * (17 << 20) + b"</a>"}
    yield "packed", huge, "must unpack to at most 4 MiB or 100 times its size"
    yield "no XML", plain | {one: b"<worksheet"}, f"XML in {one}; got: unclosed token"
    yield "no sheet", {n: d for n, d in plain.items() if n != one}, "a sheet; got none"
    strict = plain["xl/workbook.xml"].replace(b"schemas.openxmlformats.org", b"purl.oclc.org")
    yield "strict", plain | {"xl/workbook.xml": strict}, "got Strict Open XML"
    yield "no text", members(sheet("<c t='s'><v>7</v></c>")), "must be an .xlsx workbook; got: "
    yield "nothing", {}, "must be an .xlsx workbook; got: "


CASES = {name: (held, message) for name, held, message in hostile()}


@pytest.mark.parametrize("name", CASES)
def test_a_hostile_workbook_is_refused(name: str, tmp_path: Path) -> None:
    held, message = CASES[name]
    path = tmp_path / "a.xlsx"
    path.write_bytes(workbook(held))
    with pytest.raises(DataError) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert message in str(caught.value)


def test_large_members_and_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stored, not packed, they are no bombs; what is built of them would be large all the same."""
    monkeypatch.setattr("transduce.reading.tables.workbook_members._LARGEST", 1 << 16)
    path, text = tmp_path / "a.xlsx", "x" * (1 << 17)
    path.write_bytes(workbook(members(sheet(cells([text]))), method=0))
    with pytest.raises(DataError, match="at most 0 MiB of XML in a row or text; got more"):
        read(path)
    held = members(sheet(*WORDS)) | {"xl/styles.xml": f"<a>{text}</a>".encode()}
    path.write_bytes(workbook(held, method=0))
    with pytest.raises(DataError, match=r"of XML in xl/styles.xml beside its rows; got more"):
        read(path)


def test_wide_and_long_rows_are_bad_records(tmp_path: Path) -> None:
    texts = ("x" * (1 << 21), "b")
    rows = (cells(["a", "b"]), cells(["c"] * 10_001), "<c t='s'><v>0</v></c>" * 3, cells("de"))
    path = tmp_path / "a.xlsx"
    path.write_bytes(workbook(members(sheet(*rows), texts), method=0))
    problems = Problems("skip")
    assert read(path, problems) == [("a", "b", 1), ("d", "e", 4)]
    assert problems.counts == {"wrong number of columns": 1, "record too long": 1}


def test_a_text_that_stands_in_too_many_rows(tmp_path: Path) -> None:
    rows = ["<c t='s'><v>0</v></c><c t='s'><v>1</v></c>"] * 600
    with pytest.raises(DataError, match="must unpack to at most 4 MiB or 100 times its size"):
        read(written(tmp_path / "a.xlsx", *rows, texts=("x" * 20_000, "b")))


def test_a_long_list_of_members(tmp_path: Path) -> None:
    held = members(sheet(*WORDS)) | {f"{n:0500}": b"" for n in range(2000)}
    path = tmp_path / "a.xlsx"
    path.write_bytes(workbook(held))
    with pytest.raises(DataError, match="at most 1 MiB of names of members; got 1,"):
        read(path)


@pytest.mark.parametrize("name", ["a.xlsx", "a.xls", "a.csv"])
def test_workbooks_of_before_are_told(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(100))
    known = "workbook must be .xlsx without a password; got an older or a locked one"
    other = "file must be UTF-8 text; got an Office file of before 2007 (save it as .xlsx)"
    with pytest.raises(DataError) as caught:
        read(path)
    assert str(caught.value) == f"{path}: {known if name == 'a.xlsx' else other}"


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (workbook({"a": b"b"}), r"a ZIP archive \(as workbooks are\)"),
        (b"\x1f\x8b\x08", r"gzip \(its name must end in .gz\)"),
        (b"\x28\xb5\x2f\xfd", r"zstandard \(its name must end in .zst\)"),
    ],
)
def test_what_is_no_text_is_named(tmp_path: Path, data: bytes, what: str) -> None:
    path = tmp_path / "a.tsv"
    path.write_bytes(data)
    with pytest.raises(DataError, match=rf"file must be UTF-8 text; got {what}$"):
        read(path)


def test_the_library_may_not_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openpyxl.reader", None)
    with pytest.raises(DataError, match=r"pip install 'transduce\[xlsx\]'") as caught:
        read(written(tmp_path / "a.xlsx", *WORDS))
    assert "workbooks must be read with openpyxl" in str(caught.value)
