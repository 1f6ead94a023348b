"""What a file of pairs may cost: lines, records, packed data and pages beyond their bounds."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import os
import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from measured import MOST_BYTES, MOST_SECONDS, transduce
from transduce.config import DataConfig, ParallelFiles
from transduce.errors import ConfigError, DataError
from transduce.reading.pair_files import Problems, read_pairs
from transduce.reading.sources import sources_or_errors
from transduce.reading.streams import LONGEST_LINE
from transduce.reading.tables.parquet_pages import pages
from transduce.tokenization.texts import portions
from transduce.untrusted.opening import open_regular

LONG = "x" * (LONGEST_LINE + 1)
TOO_LONG = f"line must have at most {LONGEST_LINE:,} bytes; got more"


def read(path: Path | ParallelFiles, problems: Problems | None = None, **options: Any) -> list[Any]:
    config = DataConfig.model_validate(options)
    pairs = read_pairs(path, config, problems or Problems("stop"))
    return [(pair.source, pair.target, pair.line) for pair in pairs]


def refusal(path: Path | ParallelFiles, **options: Any) -> str:
    with pytest.raises(DataError) as caught:
        read(path, **options)
    return str(caught.value)


def answers(path: Path | io.BytesIO, **options: Any) -> Iterator[str]:
    """The sources to be predicted, an error by its message."""
    config = DataConfig.model_validate(options)
    return (
        source if isinstance(source, str) else f"! {source}"
        for source in sources_or_errors(path, config)
    )


# ---------------------------------------------------------------- lines


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_line_that_is_too_long_is_one_bad_line(tmp_path: Path, end: str) -> None:
    path = tmp_path / "a.tsv"
    path.write_text(end.join(["a\tb", f"{LONG}\tb", "c\td", f"e\t{LONG}"]), newline="")
    assert refusal(path) == f"{path}, line 2: {TOO_LONG}"
    problems = Problems("skip")
    assert read(path, problems) == [("a", "b", 1), ("c", "d", 3)]
    assert problems.counts == {"line too long": 2}


@pytest.mark.parametrize("surplus", [0, 1])
@pytest.mark.parametrize("before", ["", "a\tb\n"])
def test_the_longest_line_is_read_whole(tmp_path: Path, before: str, surplus: int) -> None:
    path = tmp_path / "a.tsv"
    line = "s\t" + "t" * (LONGEST_LINE - 2 + surplus)
    path.write_text(f"{before}{line}\nc\td\n")
    found = read(path, Problems("skip"))
    assert [len(target) for _, target, _ in found if len(target) > 1] == (
        [] if surplus else [LONGEST_LINE - 2]
    )
    assert found[-1][:2] == ("c", "d")


def test_long_lines_of_every_format(tmp_path: Path) -> None:
    csv, jsonl = tmp_path / "a.csv", tmp_path / "a.jsonl"
    csv.write_text(f'a,b\n"{LONG}",b\nc,d\n')
    record = json.dumps({"source": LONG, "target": "b"})
    jsonl.write_text(
        f'{{"source": "a", "target": "b"}}\n{record}\n{{"source": "c", "target": "d"}}\n'
    )
    for path in (csv, jsonl):
        problems = Problems("skip")
        assert read(path, problems) == [("a", "b", 1), ("c", "d", 3)]
        assert problems.examples == {"line too long": [f"{path}, line 2: {TOO_LONG}"]}


def test_a_long_line_of_parallel_files_takes_its_pair_along(tmp_path: Path) -> None:
    files = ParallelFiles(source=tmp_path / "a.en", target=tmp_path / "a.de")
    files.source.write_text(f"a\n{LONG}\nc\n")
    files.target.write_text("b\nx\nd\n")
    problems = Problems("skip")
    assert read(files, problems) == [("a", "b", 1), ("c", "d", 3)]
    assert problems.examples == {"line too long": [f"{files.source}, line 2: {TOO_LONG}"]}


def test_what_is_to_be_predicted_keeps_its_place(tmp_path: Path) -> None:
    data = f"a\n{LONG}\nb\n".encode() + b"\xff\nc\n"
    path = tmp_path / "a.txt"
    path.write_bytes(data)
    for given, name in ((path, str(path)), (io.BytesIO(data), "standard input")):
        assert list(answers(given)) == [
            "a",
            f"! {name}, line 2: {TOO_LONG}",
            "b",
            f"! {name}, line 4: line must be UTF-8 text; got byte 0xff at character 1",
            "c",
        ]


def test_bad_records_keep_their_place_too(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"source": "a"}\n{\n\n{"source": 3}\n{"source": "b"}\n')
    found = list(answers(path))
    assert [text[:1] for text in found] == ["a", "!", "", "!", "b"]
    assert "line 4: 'source' must be text; got 3" in found[3]
    table = tmp_path / "a.parquet"
    pq.write_table(pa.table({"source": ["a", None, "b"]}), table)
    assert list(answers(table)) == ["a", f"! {table}, line 2: 'source' must be text; got null", "b"]


def test_blank_lines_are_no_records_of_json(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"source": "a", "target": "b"}\n\n  \n{"source": "c", "target": "d"}\n\n')
    assert read(path) == [("a", "b", 1), ("c", "d", 4)]


# ---------------------------------------------------------------- CSV


def test_a_field_of_csv_is_as_long_as_any(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    text = "ab " * 100_000
    path.write_text(f'"{text}",b\n')
    assert read(path) == [(text, "b", 1)]


def test_a_quotation_without_end_is_one_bad_record_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    half = "x" * (LONGEST_LINE // 2)
    path.write_text(f'a,b\n"{half}\n{half}\n{half}\nc,d\n')
    message = f"record must have at most {LONGEST_LINE:,} characters; got more"
    assert refusal(path) == f"{path}, line 2: {message}"
    problems = Problems("skip")
    assert read(path, problems) == [("a", "b", 1), ("c", "d", 5)]
    assert problems.counts == {"record too long": 2, "wrong number of columns": 1}


@pytest.mark.parametrize(("name", "between"), [("a.tsv", "\t"), ("a.csv", ",")])
def test_too_many_columns(tmp_path: Path, name: str, between: str) -> None:
    path = tmp_path / name
    path.write_text(f"a{between}b\n{between * 10_000}x\nc{between}d\n")
    problems = Problems("skip")
    assert read(path, problems) == [("a", "b", 1), ("c", "d", 3)]
    assert problems.examples == {
        "wrong number of columns": [
            f"{path}, line 2: line must have at most 10,000 columns; got more"
        ]
    }


# ---------------------------------------------------------------- packed data


def packed(folder: Path, suffix: str, portion: bytes, times: int) -> Path:
    path = folder / f"a.tsv{suffix}"
    if suffix == ".gz":
        with gzip.open(path, "wb") as file:
            for _ in range(times):
                file.write(portion)
    else:
        with path.open("wb") as file, zstandard.ZstdCompressor().stream_writer(file) as writer:
            for _ in range(times):
                writer.write(portion)
    return path


@pytest.mark.parametrize("portion", [b"x" * (1 << 20), b"a\tb" + b" " * 1000 + b"\n"])
@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_what_unpacks_to_too_much_is_refused(tmp_path: Path, suffix: str, portion: bytes) -> None:
    path = packed(tmp_path, suffix, portion, (6 << 20) // len(portion))
    wanted = f"{path}: file must unpack to at most 4 MiB or 100 times its size; got more than "
    assert refusal(path).startswith(wanted)
    if portion.startswith(b"a"):  # what came before counts
        problems = Problems("skip")
        assert len(read(path, problems)) == pytest.approx(4100, rel=0.1)
        assert problems.counts == {"unpacks to too much": 1}


def test_text_is_packed_as_far_as_it_goes(tmp_path: Path) -> None:
    lines = "".join(f"source {n}\ttarget {n % 9} {'x' * 100}\n" for n in range(100_000)).encode()
    path = packed(tmp_path, ".zst", lines, 1)
    assert len(lines) > 20 * path.stat().st_size
    assert len(read(path)) == 100_000


@pytest.mark.parametrize("name", ["line", "quotation", "zstandard"])
def test_a_hostile_file_costs_little(tmp_path: Path, name: str) -> None:
    """The command as a person runs it: one line that says why, few seconds, flat memory."""
    path = tmp_path / {"line": "a.tsv", "quotation": "a.csv"}.get(name, "a.tsv")
    if name == "zstandard":
        path = packed(tmp_path, ".zst", b"x" * (1 << 20), 1000)
    else:
        with path.open("wb") as file:
            file.write(b"a\tb\n" if name == "line" else b'a,b\n"')
            file.truncate(1 << 29)  # zeros that take no room
    found = transduce("check", path, seconds=120)
    assert found.sound, found
    assert found.peak < MOST_BYTES, found
    assert found.seconds < MOST_SECONDS, found


# ---------------------------------------------------------------- tables


def arrow_folder(folder: Path, data: bytes) -> Path:
    (folder / "state.json").write_text('{"_data_files": [{"filename": "a.arrow"}]}')
    (folder / "a.arrow").write_bytes(data)
    return folder


def stream_of(table: pa.Table, compression: str | None = None) -> bytes:
    sink = io.BytesIO()
    options = pa.ipc.IpcWriteOptions(compression=compression)
    with pa.ipc.new_stream(sink, table.schema, options=options) as writer:
        writer.write_table(table)
    return sink.getvalue()


@pytest.mark.parametrize("value", [2**31 - 1, -5, 7_000])
@pytest.mark.parametrize("place", [1, 40])
def test_damaged_offsets_are_found_before_they_are_followed(
    tmp_path: Path, place: int, value: int
) -> None:
    data = bytearray(stream_of(pa.table({"source": ["abcd"] * 40, "target": ["dcba"] * 40})))
    offsets = data.index(struct.pack("<41i", *range(0, 164, 4)))
    data[offsets + 4 * place : offsets + 4 * place + 4] = struct.pack("<i", value)
    folder = arrow_folder(tmp_path, bytes(data))
    assert "must be a" in refusal(folder)


def test_a_dictionary_whose_numbers_lead_nowhere(tmp_path: Path) -> None:
    words = pa.array(["p", "q"] * 20).dictionary_encode()
    data = bytearray(stream_of(pa.table({"source": words, "target": ["x"] * 40})))
    numbers = data.index(struct.pack("<40i", *[0, 1] * 20))
    data[numbers : numbers + 4] = struct.pack("<i", 1 << 20)
    assert "must be a" in refusal(arrow_folder(tmp_path, bytes(data)))


@pytest.mark.parametrize("compression", ["zstd", "lz4"])
def test_arrow_buffers_that_unpack_to_too_much(tmp_path: Path, compression: str) -> None:
    table = pa.table({"source": ["x" * (1 << 20)] * 160, "target": ["y"] * 160})
    folder = arrow_folder(tmp_path, stream_of(table, compression))
    assert refusal(folder).startswith(
        f"{folder / 'a.arrow'}: batches must unpack to at most 128 MiB; got 16"
    )


@pytest.mark.parametrize("compression", ["zstd", "lz4"])
def test_packed_arrow_buffers_are_read(tmp_path: Path, compression: str) -> None:
    table = pa.table({"source": [f"a{n}" for n in range(3000)], "target": ["b"] * 3000})
    folder = arrow_folder(tmp_path, stream_of(table, compression))
    assert [row[0] for row in read(folder)] == [f"a{n}" for n in range(3000)]


def test_a_claimed_size_is_not_believed(tmp_path: Path) -> None:
    """The first eight bytes of a packed buffer say how much memory is asked for."""
    text = ["".join(map(str, range(n, n + 40))) for n in range(400)]
    data = bytearray(stream_of(pa.table({"source": text, "target": text}), "zstd"))
    claim = struct.pack("<q", sum(map(len, text)))
    assert data.count(claim) == 2
    place = data.index(claim)
    data[place : place + 8] = struct.pack("<q", 1 << 40)
    assert "batches must unpack to at most 128 MiB; got 1,099,511" in refusal(
        arrow_folder(tmp_path, bytes(data))
    )


REPEATED = "x" * (1 << 20)


@pytest.mark.parametrize(
    ("columns", "options"),
    [
        ({"source": [REPEATED] * 200, "target": ["y"] * 200}, {}),
        ({"source": [REPEATED] * 200, "target": ["y"] * 200}, {"use_dictionary": False}),
        (
            {"source": [REPEATED] * 200, "target": ["y"] * 200},
            {"use_dictionary": False, "column_encoding": {"source": "DELTA_BYTE_ARRAY"}},
        ),
        ({"source": ["ab"] * 3_000_000, "target": ["c"] * 3_000_000}, {}),
    ],
    ids=["dictionary", "plain", "prefixes", "rows"],
)
def test_parquet_that_unpacks_to_too_much(
    tmp_path: Path, columns: dict[str, list[str]], options: dict[str, Any]
) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table(columns), path, compression="zstd", **options)
    with pytest.raises(DataError, match=r"must unpack to at most"):
        read(path)


def test_damaged_footers_of_parquet_are_refused(tmp_path: Path) -> None:
    """Some of them end the process where the library is asked for the place of a column."""
    path = tmp_path / "a.parquet"
    nested = [{"en": "a", "de": "b"}, {"en": "c", "de": "d"}]
    pq.write_table(pa.table({"source": nested, "target": ["x", "y"]}), path, compression="none")
    config = DataConfig(source="source.en")
    assert len(list(read_pairs(path, config, Problems("stop")))) == 2
    whole = path.read_bytes()
    start = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")
    for place in range(start, len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        with contextlib.suppress(DataError, ConfigError):
            list(read_pairs(path, config, Problems("stop")))


def test_headers_of_pages_hold_numbers() -> None:
    """In Thrift's compact protocol a struct stands where the encoding should."""
    header = bytes.fromhex("1500 1502 1502 2c 1502 1c00 00 00")
    with pytest.raises(ValueError, match="header of a page holds no size"):
        list(pages(io.BytesIO(header), 0, len(header), 1))


def test_texts_of_a_table_have_the_length_of_a_line(tmp_path: Path) -> None:
    chance = os.urandom(LONGEST_LINE // 2 + 1).hex()
    table = pa.table({"source": ["a", chance, "c"], "target": ["b", "x", "d"]})
    pq.write_table(table, tmp_path / "a.parquet")
    for path in (tmp_path / "a.parquet", arrow_folder(tmp_path, stream_of(table))):
        problems = Problems("skip")
        assert read(path, problems) == [("a", "b", 1), ("c", "d", 3)]
        assert problems.counts == {"text too long": 1}


def test_views_of_one_text_are_not_multiplied(tmp_path: Path) -> None:
    """Sixteen bytes a row, each row the same long text."""
    text = os.urandom(1 << 18).hex().encode()
    view = struct.pack("<i4sii", len(text), text[:4], 0, 0)
    rows = 1000
    views = pa.Array.from_buffers(
        pa.string_view(), rows, [None, pa.py_buffer(view * rows), pa.py_buffer(text)]
    )
    views.validate(full=True)
    table = pa.table({"source": views, "target": ["b"] * rows})
    folder = arrow_folder(tmp_path, stream_of(table))
    assert f"{folder}: file must unpack to at most 4 MiB or 100 times its size" in refusal(folder)


def test_a_column_that_stands_twice_is_refused(tmp_path: Path) -> None:
    table = pa.table([["a"], ["b"], ["c"]], names=["source", "source", "target"])
    pq.write_table(table, tmp_path / "a.parquet")
    assert "table must have the column 'source' once; got several" in refusal(
        tmp_path / "a.parquet"
    )


@pytest.mark.parametrize(
    "state",
    ['{"_data_files": [{"filename": "%s"}]}' % ("a" * 5000), "[" * 100_000, '{"_data_files": 3}',
     '{"_data_files": [{"filename": 3}]}', '{"_data_files": [{"filename": "a\\u0000b"}]}', "{}",
     ""],
    ids=["long", "deep", "number", "no name", "NUL", "empty object", "empty"],
)  # fmt: skip
def test_a_state_that_names_no_files(tmp_path: Path, state: str) -> None:
    (tmp_path / "state.json").write_text(state)
    with pytest.raises(DataError):
        read(tmp_path)


# ---------------------------------------------------------------- what is no file


def not_files(folder: Path) -> Iterator[tuple[str, Path]]:
    os.mkfifo(folder / "fifo")
    yield "a pipe: give it as standard input", folder / "fifo"
    with socket.socket(socket.AF_UNIX) as unix:
        unix.bind(str(folder / "s"))
    yield "No such device or address", folder / "s"
    yield "a device", Path("/dev/zero")
    yield "Is a directory", folder
    (folder / "loop").symlink_to(folder / "loop")
    yield "Too many levels of symbolic links", folder / "loop"
    yield "File name too long", folder / ("a" * 5000)
    yield "a name that no file can have", folder / "a\0b"
    yield "a name that no file can have", folder / "\ud800"


def test_only_regular_files_are_opened(tmp_path: Path) -> None:
    for message, path in not_files(tmp_path):
        with pytest.raises(OSError, match=message):
            open_regular(path)
        if path != tmp_path:
            assert refusal(path, format="tsv").endswith(f"file must be readable; got: {message}")


def test_what_the_shell_hands_over_is_read_once(tmp_path: Path) -> None:
    """``transduce predict MODEL <(zcat sources.gz)``."""
    reading, writing = os.pipe()
    os.write(writing, b"a\nb\n")
    os.close(writing)
    try:
        assert list(answers(Path(f"/dev/fd/{reading}"))) == ["a", "b"]
    finally:
        os.close(reading)


# ---------------------------------------------------------------- what is said, what is held


def test_what_is_said_of_a_file_has_an_end(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({"x" * 1000 + str(n): "a" for n in range(1000)}))
    message = refusal(path)
    assert message.startswith(f"{path}, line 1: record must have the key 'source'; got xxx")
    assert message.endswith("x…")
    assert len(message) < 1200 + len(str(path))


def test_portions_of_long_texts_are_small() -> None:
    short = [("ab", "cd")] * 20_000
    assert [len(portion) for portion in portions(short)] == [8192, 8192, 3616]
    assert [len(portion) for portion in portions(short, 5000)] == [5000] * 4
    long = [("a" * 400_000, None)] * 40
    assert [len(portion) for portion in portions(long)] == [16, 16, 8]
    assert list(portions([])) == []
    assert [text for portion in portions(["a", "b" * 5_000_000, "c"]) for text in portion] == [
        "a", "b" * 5_000_000, "c"
    ]  # fmt: skip
