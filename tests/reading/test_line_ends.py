"""Ends of lines and marks at the beginning of files, as other systems and programs write them."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from transduce.config import Config, DataConfig, ParallelFiles
from transduce.errors import DataError
from transduce.pretrained.checkpoint.published_vocabulary import _merges
from transduce.reading import streams
from transduce.reading.pair_files import Problems, read_pairs
from transduce.reading.sources import read_sources, sources_or_errors

PAIRS = [("a", "b"), ("c", "d"), ("e", "f")]


def written(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def pairs(path: Path, problems: Problems | None = None, **options: object) -> list[tuple[str, str]]:
    config = Config.from_mapping({"data": options}).data
    found = read_pairs(path, config, problems or Problems("stop"))
    return [(pair.source, pair.target or "") for pair in found]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\r\r\n", "\n\r"])
@pytest.mark.parametrize("block", [1, 3, 1 << 18])
@pytest.mark.parametrize(("suffix", "between"), [("tsv", "\t"), ("csv", ","), ("txt", "\t")])
def test_lines_end_as_each_system_ends_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str, block: int, suffix: str, between: str
) -> None:
    monkeypatch.setattr(streams, "_BLOCK_BYTES", block)
    rows = [between.join(pair) for pair in PAIRS]
    for last in (end, ""):
        path = written(tmp_path / f"a.{suffix}", end.join(rows) + last)
        assert pairs(path) == PAIRS
    if suffix != "txt":  # which is read line by line
        assert list(read_sources(path, DataConfig())) == ["a", "c", "e"]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\r\r\n", "\n\r"])
def test_parallel_files_of_two_systems_stay_side_by_side(tmp_path: Path, end: str) -> None:
    sides = [
        written(tmp_path / name, "".join(f"{text}{ending}" for text in texts))
        for name, texts, ending in (("x", "ace", end), ("y", "bdf", "\n"))
    ]
    files = ParallelFiles(source=sides[0], target=sides[1])
    found = read_pairs(files, DataConfig(), Problems())
    assert [(pair.source, pair.target) for pair in found] == PAIRS


def test_lines_may_end_in_several_ways_at_once(tmp_path: Path) -> None:
    """A blank line is one wherever its \\r stands."""
    path = written(tmp_path / "a.txt", "one\n\r\ntwo\n\r\n\rthree\r\n\r\nfour\n\r")
    wanted = ["one", "", "two", "", "three", "", "four"]
    assert list(read_sources(path, DataConfig())) == wanted


def test_a_return_within_a_line_is_text(tmp_path: Path) -> None:
    """As corpora of the web have it: counted as an end it would shift one side of two files."""
    assert pairs(written(tmp_path / "a.tsv", "a\rx\tb\nc\td\n")) == [("a\rx", "b"), ("c", "d")]


def test_rows_that_a_return_joins_are_told(tmp_path: Path) -> None:
    path = written(tmp_path / "a.tsv", "a\tb\r\nc\td\re\tf\r\ng\th\r\n")
    message = r"line 2: line must end with \\n or \\r\\n; got rows with \\r between them"
    with pytest.raises(DataError, match=message):
        pairs(path)
    skipping = Problems("skip")
    assert pairs(path, skipping) == [("a", "b"), ("g", "h")]
    assert skipping.counts == {"line end": 1}
    first, bad, last = sources_or_errors(path, DataConfig())
    assert (first, last) == ("a", "g")
    assert isinstance(bad, DataError)


def test_returns_alone_are_found_before_a_line_is_too_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "_BLOCK_BYTES", 64)
    monkeypatch.setattr(streams, "LONGEST_LINE", 1000)
    path = written(tmp_path / "a.tsv", "a\tb\r" * 1000)
    assert pairs(path) == [("a", "b")] * 1000


def test_nothing_waits_for_an_end_that_has_come() -> None:
    class Pipe(io.RawIOBase):
        def __init__(self) -> None:
            self.waiting = [b"b\n", b"a\n"]

        def read(self, size: int = -1) -> bytes:
            assert self.waiting, "asked again before the lines were answered"
            return self.waiting.pop()

    found = read_sources(Pipe(), DataConfig())  # type: ignore[arg-type]
    assert [next(found), next(found)] == ["a", "b"]


def test_marks_of_joined_files_are_no_text(tmp_path: Path) -> None:
    one = "\ufeffa\tb\n".encode()
    assert pairs(written(tmp_path / "a.tsv", one + one)) == [("a", "b")] * 2
    assert pairs(written(tmp_path / "b.tsv", "a\ufeff\tb\n")) == [("a\ufeff", "b")]


def test_a_mark_beside_a_recording_is_no_text(tmp_path: Path) -> None:
    soundfile = pytest.importorskip("soundfile")
    soundfile.write(tmp_path / "1.wav", [0.1, 0.2] * 200, 8000)
    written(tmp_path / "1.txt", "\ufeffone\r\ntwo\r\n")
    sound = {"kind": "audio", "sampling_rate": 8000}
    [(_, text)] = pairs(tmp_path, input=sound)
    assert text == "one two"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_wide_text_is_told(tmp_path: Path, encoding: str) -> None:
    path = written(tmp_path / "a.tsv", ("source\ttarget\n" * 9).encode(encoding))
    for read in (pairs, lambda path: list(read_sources(path, DataConfig()))):
        with pytest.raises(DataError, match="file must be UTF-8 text; got UTF-16"):
            read(path)


def test_a_workbook_is_told(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", b"PK\x03\x04\x14\0\6\0\x08\0\0\0!\0")
    with pytest.raises(DataError, match="UTF-8 text; got a ZIP archive"):
        pairs(path)


def test_zeros_in_a_text_are_text(tmp_path: Path) -> None:
    path = written(tmp_path / "a.tsv", "a\0b c d e f g\th\n")
    assert pairs(path) == [("a\0b c d e f g", "h")]


@pytest.mark.parametrize("suffix", ["tsv", "csv"])
def test_a_column_that_stands_twice_is_told(tmp_path: Path, suffix: str) -> None:
    between = {"tsv": "\t", "csv": ","}[suffix]
    lines = [["from", "to", "to"], ["a", "b", "c"]]
    path = written(tmp_path / f"a.{suffix}", "\n".join(map(between.join, lines)) + "\n")
    with pytest.raises(DataError, match="header must name the column 'to' once; got from, to, to"):
        pairs(path, header=True, source="from", target="to")
    assert pairs(path, header=True, source="from", target=2) == [("a", "c")]


def test_merges_are_cut_at_line_feeds_alone(tmp_path: Path) -> None:
    path = written(tmp_path / "merges.txt", "#version: 0.2\r\na \x85\r\n\u2028 b\r\n")
    assert _merges(path) == [("a", "\x85"), ("\u2028", "b")]
