"""Bad data: one clear line with file and line number, or skipped and counted."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from transduce.config import Config, DataConfig, Files, ParallelFiles
from transduce.errors import ConfigError, DataError
from transduce.reading.pair_files import Problems, read_pairs


def data_config(**options: Any) -> DataConfig:
    return Config.from_mapping({"data": options}).data


def read(files: Files, problems: Problems | None = None, **options: Any) -> list[tuple[str, str]]:
    pairs = read_pairs(files, data_config(**options), problems or Problems("stop"))
    return [(pair.source, str(pair.target)) for pair in pairs]


def write(path: Path, data: bytes | str) -> Path:
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


GOOD = [("a", "b"), ("c", "d")]

# Each file holds the good pairs and one bad record: name, content, line, reason, message.
BAD_RECORDS = [
    ("a.tsv", "a\tb\nx\nc\td\n", 2, "wrong number of columns", "2 columns like the first; got 1"),
    ("a.tsv", "a\tb\nx\ty\tz\nc\td\n", 2, "wrong number of columns", "like the first; got 3"),
    ("a.tsv", "x\na\tb\nc\td\n", 1, "wrong number of columns", "at least 2 columns; got 1"),
    ("a.tsv", "a\tb\n\nc\td\n", 2, "wrong number of columns", "got an empty line"),
    ("a.csv", "a,b\nc,d\n\n", 3, "wrong number of columns", "got an empty line"),
    ("a.tsv", "a\tb\n \ty\nc\td\n", 2, "empty source", "source must be text; got nothing"),
    ("a.tsv", "a\tb\nx\t\nc\td\n", 2, "empty target", "target must be text; got nothing"),
    (
        "a.tsv",
        b"a\tb\nc\td\nx\t\xe9t\xe9\n",
        3,
        "not UTF-8",
        "line must be UTF-8 text; got byte 0xe9 at character 3",
    ),
    ("a.csv", b'a,b\n"x\n\xff",y\nc,d\n', 3, "not UTF-8", "got byte 0xff at character 1"),
    ("a.csv", 'a,b\nx,"y"z\nc,d\n', 2, "bad CSV", "record must be CSV; got: ',' expected"),
    ("a.csv", 'a,b\nc,d\nx,"y', 3, "bad CSV", "unexpected end of data"),
    (
        "a.jsonl",
        '{"source":"a","target":"b"}\n{"source":"x"\n{"source":"c","target":"d"}\n',
        2,
        "bad JSON",
        "line must be a JSON object; got: Expecting ',' delimiter at character 14",
    ),
    (
        "a.jsonl",
        '{"source":"a","target":"b"}\n["x"]\n{"source":"c","target":"d"}\n',
        2,
        "bad JSON",
        "line must be a JSON object; got a list",
    ),
    (
        "a.jsonl",
        '{"source":"a","target":"b"}\n{"source":"x","to":"y"}\n{"source":"c","target":"d"}\n',
        2,
        "missing key",
        "record must have the key 'target'; got source, to",
    ),
    (
        "a.jsonl",
        '{"source":"a","target":"b"}\n{"source":"x","target":5}\n{"source":"c","target":"d"}\n',
        2,
        "not text",
        "'target' must be text; got 5",
    ),
    (
        "a.jsonl",
        '{"source":"a","target":"b"}\n{"source":null,"target":""}\n{"source":"c","target":"d"}\n',
        2,
        "not text",
        "'source' must be text; got null",
    ),
    (
        "a.jsonl",
        '{"source":"a","target":"b"}\n{"source":"\\ud83d","target":"y"}\n'
        '{"source":"c","target":"d"}\n',
        2,
        "bad JSON",
        "text must be valid Unicode; got half of a surrogate pair",
    ),
    (
        "a.jsonl",
        "[" * 100_000 + '\n{"source":"a","target":"b"}\n{"source":"c","target":"d"}',
        1,
        "bad JSON",
        "a number or nesting too large",
    ),
]


@pytest.mark.parametrize(("name", "content", "line", "reason", "message"), BAD_RECORDS)
def test_a_bad_record_stops_or_is_counted(
    tmp_path: Path, name: str, content: bytes | str, line: int, reason: str, message: str
) -> None:
    path = write(tmp_path / name, content)
    with pytest.raises(DataError) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}, line {line}: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)

    problems = Problems("skip")
    assert read(path, problems) == GOOD
    assert problems.report()["reasons"] == {reason: problems.total}
    assert problems.report()["examples"][reason] == [str(caught.value)]


def test_only_the_first_examples_are_kept_but_all_are_counted(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tsv", "a\tb\n" + "x\n" * 10 + "y\t\n")
    problems = Problems("skip", examples=2)
    read(path, problems)
    assert problems.counts == {"wrong number of columns": 10, "empty target": 1}
    assert problems.total == problems.report()["skipped"] == 11
    assert len(problems.examples["wrong number of columns"]) == 2
    assert problems.summary() == "11 skipped (10 wrong number of columns, 1 empty target)"
    assert Problems().summary() == "none skipped"


def test_a_bad_tag_is_a_bad_record(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tsv", "a\tb\tN⟫\nc\td\tN\n")
    source: list[Any] = [0, {"tags": 2}]
    with pytest.raises(DataError, match="line 1: tag must be text without ⟪ and ⟫; got 'N⟫'"):
        read(path, source=source)
    problems = Problems("skip")
    assert read(path, problems, source=source) == [("c⟪N⟫", "d")]
    assert problems.counts == {"bad tag": 1}


def test_a_source_with_tags_but_no_text_is_empty(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tsv", "\tb\tN\n")
    with pytest.raises(DataError, match="line 1: source must be text; got nothing"):
        read(path, source=[0, {"tags": 2}])


# ---------------------------------------------------------------- whole files


def cut_short(pack: Callable[[bytes], bytes]) -> bytes:
    packed = pack(b"".join(b"source %d\ttarget %d\n" % (n, n * n) for n in range(5000)))
    return packed[: len(packed) // 2]


def parquet_of_numbers(path: Path) -> Path:
    pq.write_table(pa.table({"source": [1], "target": ["x"]}), path)
    return path


def parquet_without_target(path: Path) -> Path:
    pq.write_table(pa.table({"source": ["x"], "to": ["x"]}), path)
    return path


def splits_folder(path: Path) -> Path:
    path.mkdir()
    write(path / "dataset_dict.json", json.dumps({"splits": ["train", "test"]}))
    return path


def folder(path: Path) -> Path:
    path.mkdir()
    return path


def folder_without_its_file(path: Path) -> Path:
    path.mkdir()
    write(path / "state.json", json.dumps({"_data_files": [{"filename": "gone.arrow"}]}))
    return path


BAD_FILES: list[tuple[str, Callable[[Path], Path], str, str]] = [
    ("a.tsv", lambda p: p, "missing file", "file must exist"),
    ("a.parquet", lambda p: p, "missing file", "file must exist"),
    ("a.tsv", folder, "not a dataset", "folder must be one written by datasets' save_to_disk"),
    ("a.tsv", lambda p: write(p, b""), "empty file", "must hold at least one pair; got an empty"),
    ("a.csv", lambda p: write(p, b"\xef\xbb\xbf"), "empty file", "got an empty file"),
    ("a.jsonl", lambda p: write(p, b""), "empty file", "got an empty file"),
    ("a.tsv.gz", lambda p: write(p, gzip.compress(b"")), "empty file", "got an empty file"),
    ("a.train", lambda p: write(p, "x y\n"), "unknown format", "line 1: line must have tabs"),
    ("a.tsv", lambda p: write(p, "a\tb".encode("utf-16")), "not UTF-8", "UTF-8 text; got UTF-16"),
    ("a.tsv.gz", lambda p: write(p, b"a\tb\n"), "corrupt file", "whole gzip or zstandard data"),
    ("a.tsv.zst", lambda p: write(p, b"a\tb\n"), "corrupt file", "whole gzip or zstandard data"),
    ("a.tsv.gz", lambda p: write(p, cut_short(gzip.compress)), "corrupt file", "whole gzip"),
    ("a.tsv.zst", lambda p: write(p, cut_short(zstandard.compress)), "corrupt file", "whole gzip"),
    ("a.parquet", lambda p: write(p, "x"), "corrupt file", "file must be a Parquet file; got"),
    ("a.parquet", parquet_of_numbers, "not text", "column 'source' must hold text; got int64"),
    ("a.parquet", parquet_without_target, "missing column", "column 'target'; got source, to"),
    ("saved", folder, "not a dataset", "folder must be one written by datasets' save_to_disk"),
    ("saved", splits_folder, "not a dataset", "one split of the dataset (train, test)"),
    ("saved", folder_without_its_file, "missing file", "gone.arrow: file must exist"),
]


@pytest.mark.parametrize(("name", "make", "reason", "message"), BAD_FILES)
def test_a_bad_file_stops_or_is_counted(
    tmp_path: Path, name: str, make: Callable[[Path], Path], reason: str, message: str
) -> None:
    bad = make(tmp_path / name)
    good = write(tmp_path / "good.tsv", "a\tb\nc\td\n")
    with pytest.raises(DataError) as caught:
        read([good, bad])
    assert str(caught.value).startswith(str(bad))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)

    problems = Problems("skip")
    assert read([bad, good], problems)[-2:] == GOOD
    assert problems.counts == {reason: 1}


def test_an_unreadable_file_is_said(tmp_path: Path) -> None:
    folder = tmp_path / "train.tsv"
    folder.mkdir()
    with pytest.raises(DataError, match=r"train.tsv: file must be readable; got: Is a directory"):
        read(folder, format="tsv")


def test_what_came_before_a_corrupt_place_is_kept(tmp_path: Path) -> None:
    lines = b"".join(b"source %d\ttarget\n" % n for n in range(400_000))
    packed = gzip.compress(lines, 1)
    problems = Problems("skip")
    pairs = read(write(tmp_path / "a.tsv.gz", packed[: len(packed) * 3 // 4]), problems)
    assert len(pairs) > 100_000
    assert pairs == [(f"source {n}", "target") for n in range(len(pairs))]
    assert problems.counts == {"corrupt file": 1}


@pytest.mark.parametrize("on_error", ["stop", "skip"])
def test_nothing_to_read_is_an_error_even_when_skipping(tmp_path: Path, on_error: Any) -> None:
    path = write(tmp_path / "a.tsv", "x\n" * 3)
    with pytest.raises(DataError, match=r"a\.tsv.*(got 1|got none that is good, 3 skipped)"):
        read(path, Problems(on_error))


def test_a_header_alone_is_an_empty_file(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tsv", "source\ttarget\n")
    with pytest.raises(DataError, match="got an empty file"):
        read(path, header=True)
    with pytest.raises(DataError, match="got an empty file"):
        read(write(path, ""), header=True)


def test_parquet_rows_without_text_are_named(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"source": ["a", None, "c"], "target": ["b", "x", "d"]}), path)
    with pytest.raises(DataError, match="line 2: 'source' must be text; got null"):
        read(path)
    broken = pa.array([b"b", b"\xff", b"d"]).view(pa.string())
    pq.write_table(pa.table({"source": ["a", "x", "c"], "target": broken}), path)
    problems = Problems("skip")
    assert read(path, problems) == GOOD
    assert problems.examples == {
        "not UTF-8": [f"{path}, line 2: 'target' must be UTF-8 text; got other bytes"]
    }


# ---------------------------------------------------------------- parallel files


def parallel(folder: Path, source: bytes | str, target: bytes | str) -> ParallelFiles:
    return ParallelFiles(
        source=write(folder / "t.en", source), target=write(folder / "t.de", target)
    )


@pytest.mark.parametrize(
    ("source", "target", "long", "short"),
    [("a\nc\nx\ny\nz\n", "b\nd\n", "t.en", "t.de"), ("a\nc\n", "b\nd\nx\ny\nz", "t.de", "t.en")],
)
def test_parallel_files_of_different_length(
    tmp_path: Path, source: str, target: str, long: str, short: str
) -> None:
    files = parallel(tmp_path, source, target)
    message = f"{tmp_path / long}, line 3: file must have as many lines as {tmp_path / short} (2)"
    with pytest.raises(DataError) as caught:
        read(files)
    assert str(caught.value) == f"{message}; got 5"
    problems = Problems("skip")
    assert read(files, problems) == GOOD
    assert problems.counts == {"parallel files of different length": 3}


def test_a_bad_line_of_one_parallel_file_takes_its_partner_along(tmp_path: Path) -> None:
    files = parallel(tmp_path, b"a\n\xff\n\nx\nc\n", b"b\nx\ny\n \nd\n")
    problems = Problems("skip")
    assert read(files, problems) == GOOD
    assert problems.counts == {"not UTF-8": 1, "empty source": 1, "empty target": 1}
    assert problems.examples["empty target"] == [
        f"{files.target}, line 4: target must be text; got nothing"
    ]


def test_a_missing_or_empty_parallel_file(tmp_path: Path) -> None:
    files = parallel(tmp_path, "a\n", "")
    with pytest.raises(DataError, match=r"t\.en, line 1: file must have as many lines as"):
        read(files)
    files.target.unlink()
    with pytest.raises(DataError, match=r"t\.de: file must exist"):
        read(files)


# ---------------------------------------------------------------- what the recipe asks for


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("a.tsv", {"source": "word"}, "source must be a column number where data.header is false"),
        ("a.tsv", {"target": -1}, "data.target must be at least 0; got -1"),
        ("a.tsv", {"source": {"tags": 0, "separator": ""}}, "separator must be at least one"),
        ("a.tsv", {"source": {"tags": 0, "separator": ["+", ""]}}, "separator must be at least"),
        ("a.jsonl", {"source": 2}, "data.source must be a name in jsonl data; got 2"),
        ("a.parquet", {"target": 0}, "data.target must be a name in parquet data; got 0"),
        ("a.txt", {"format": "lines"}, "must be {source: FILE, target: FILE}"),
    ],
)
def test_columns_that_do_not_fit_the_format(
    tmp_path: Path, name: str, options: dict[str, Any], message: str
) -> None:
    path = write(tmp_path / name, "a\tb\n")
    with pytest.raises(ConfigError) as caught:
        read(path, Problems("skip"), **options)
    assert message in str(caught.value)


def test_parallel_files_are_lines(tmp_path: Path) -> None:
    files = parallel(tmp_path, "a\n", "b\n")
    with pytest.raises(ConfigError, match=r"data\.format must be lines .*; got tsv"):
        read(files, format="tsv")
    with pytest.raises(ConfigError, match="must be at least one; got an empty list"):
        read([])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"source": "word", "target": "b"}, "header must name the column 'word'; got a, b"),
        ({"source": 0, "target": 2}, "header must name at least 3 columns; got 2"),
    ],
)
def test_a_header_without_the_column(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    path = write(tmp_path / "a.tsv", "a\tb\nc\td\n")
    with pytest.raises(DataError) as caught:
        read(path, header=True, **options)
    assert str(caught.value) == f"{path}, line 1: {message}"
