"""How files are laid out, as their first lines show."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from transduce.automatic.looking.columns_meant import columns_meant
from transduce.automatic.looking.layouts import understand
from transduce.errors import ConfigError, DataError
from transduce.reading.column_names import is_header, named_columns


def written(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8")
    return str(path)


WORDS = [("abba", "ɒ bː ɒ"), ("bab", "b ɒ b"), ("kor", "k o r"), ("dal", "d ɒ l")]


@pytest.mark.parametrize(
    ("name", "delimiter", "expected"),
    [
        ("a.tsv", "\t", {"format": "tsv"}),
        ("a.txt", "\t", {"format": "tsv"}),
        ("a.csv", ",", {"format": "csv"}),
        ("a.csv", ";", {"format": "csv", "delimiter": ";"}),
        ("a.txt", ";", {"format": "csv", "delimiter": ";"}),
        ("a.txt", "|", {"format": "csv", "delimiter": "|"}),
        ("a.tsv", ",", {"format": "csv"}),
        ("a.csv", "\t", {"format": "tsv"}),
    ],
)
def test_finds_what_stands_between_columns(
    tmp_path: Path, name: str, delimiter: str, expected: dict[str, Any]
) -> None:
    text = "".join(f"{source}{delimiter}{target}\n" for source, target in WORDS)
    found = understand([written(tmp_path / name, text)])
    assert found.data == {**expected, "source": 0, "target": 1}


def test_a_comma_in_sentences_is_no_column(tmp_path: Path) -> None:
    text = "Yes, I do.;Ja, das tue ich.\nNo, sir.;Nein, mein Herr.\n"
    found = understand([written(tmp_path / "a.csv", text)])
    assert found.data["delimiter"] == ";"


def test_quoted_fields_hold_the_delimiter(tmp_path: Path) -> None:
    text = '"a;b",c\n"d;e",f\n'
    assert "delimiter" not in understand([written(tmp_path / "a.csv", text)]).data


@pytest.mark.parametrize(
    ("first", "header"),
    [
        (["source", "target"], True),
        (["word", "pron"], True),
        (["Word", "IPA"], True),
        (["en", "fr"], True),
        (["text", "label"], True),
        (["word", "mot"], False),  # a pair of a dictionary
        (["source", "source"], False),
        (["aa", "a a"], False),
        (["word", ""], False),
    ],
)
def test_a_header_is_told_from_a_pair(first: list[str], header: bool) -> None:
    assert is_header(first, [list(pair) for pair in WORDS]) is header


def test_a_name_over_numbers_is_a_header() -> None:
    assert is_header(["Eingabe", "Ergebnis"], [["1", "2"], ["30", "60"]])
    assert not is_header(["7", "14"], [["1", "2"], ["30", "60"]])


def test_names_tell_the_columns_in_any_order() -> None:
    assert named_columns(["id", "target", "source"]) == (2, 1)
    assert named_columns(["pron", "word"]) == (1, 0)
    assert named_columns(["foo", "bar"]) is None


def test_the_header_is_said(tmp_path: Path) -> None:
    path = written(tmp_path / "a.tsv", "pron\tword\nb a\tba\nk a\tca\n")
    found = understand([path])
    assert (found.data["header"], found.data["source"], found.data["target"]) == (True, 1, 0)
    assert "the first line names the columns: pron, word" in found.lines


def test_a_column_of_tags_is_found() -> None:
    rows = [(f"ev{n}", f"evler{n}", ("N;PL", "N;SG", "V;PST;PL")[n % 3]) for n in range(60)]
    meant = columns_meant(rows, None)
    assert (meant.source, meant.target) == ([0, {"tags": 2, "separator": ";"}], 1)


def test_a_language_is_one_tag() -> None:
    rows = [(("ita", "fre")[n % 2], f"word{n}", f"w o {n}") for n in range(60)]
    assert columns_meant(rows, None).source == [1, {"tags": 0}]


def test_columns_that_say_nothing_are_left_out() -> None:
    rows = [(str(n), f"Go {n}", f"Geh {n}", "CC-BY 2.0 tatoeba.org #1", "same") for n in range(40)]
    meant = columns_meant(rows, None)
    assert (meant.source, meant.target) == (1, 2)
    assert [n for n, role in meant.roles.items() if role.startswith("left out")] == [0, 3, 4]


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        ([{"source": "a", "target": "b"}], ("source", "target")),
        ([{"summary": "a", "description": "b", "id": "x"}], ("description", "summary")),
        ([{"translation": {"en": "a", "fr": "b"}}], ("translation.en", "translation.fr")),
        ([{"one": "a", "n": 3, "two": "b"}], ("one", "two")),
    ],
)
def test_keys_of_json_lines(
    tmp_path: Path, records: list[dict[str, Any]], expected: tuple[str, str]
) -> None:
    text = "".join(json.dumps(record) + "\n" for record in records * 3)
    found = understand([written(tmp_path / "a.jsonl", text)])
    assert (found.data["source"], found.data["target"]) == expected


def test_two_files_of_lines_are_source_and_target(tmp_path: Path) -> None:
    source = written(tmp_path / "train.en", "a house\na tree\n")
    target = written(tmp_path / "train.de", "ein Haus\nein Baum\n")
    found = understand([source, target])
    assert found.files == {"source": source, "target": target}
    assert found.data == {"format": "lines"}


def test_names_of_recordings_are_recordings(tmp_path: Path) -> None:
    path = written(tmp_path / "a.tsv", "one.wav\tone\ntwo.wav\ttwo\n")
    assert understand([path]).data["input.kind"] == "audio"


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.tsv", "", "file must hold at least one pair; got an empty file"),
        ("a.tsv", "\n\n", "file must hold at least one pair; got an empty file"),
        ("a.txt", "hello\nworld\n", "line must have two columns, source and target"),
        ("a.jsonl", '{"text": "a"}\n', "records must have two keys with texts"),
        ("a.jsonl", "no json\n", "file must hold a JSON object on each line; got none"),
        ("a.parquet", "no parquet", "file must be a Parquet file"),
    ],
)
def test_files_that_cannot_be_pairs(tmp_path: Path, name: str, text: str, message: str) -> None:
    with pytest.raises(DataError) as caught:
        understand([written(tmp_path / name, text)])
    assert message in str(caught.value)


def test_a_wrong_name_gets_a_hint(tmp_path: Path) -> None:
    written(tmp_path / "pairs.tsv", "a\tb\n")
    with pytest.raises(DataError) as caught:
        understand([str(tmp_path / "pairs.tvs")])
    assert f"file must exist; got no such file, did you mean {tmp_path}/pairs.tsv?" in str(
        caught.value
    )


def test_folders_without_recordings(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        understand([str(tmp_path)])
    assert "folder must hold recordings or pictures" in str(caught.value)


def test_a_model_is_no_data(tmp_path: Path) -> None:
    written(tmp_path / "config.yaml", "name: x\n")
    with pytest.raises(ConfigError) as caught:
        understand([str(tmp_path)])
    assert "data must be files with pairs; got" in str(caught.value)
