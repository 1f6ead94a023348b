"""Readers of good data: every format gives the same pairs."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import sys
import threading
import tracemalloc
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from transduce.config import Config, DataConfig, Files, ParallelFiles
from transduce.errors import DataError
from transduce.reading import streams
from transduce.reading.pair_files import (
    Example,
    Pair,
    Problems,
    group_examples,
    read_pairs,
    read_sources,
)
from transduce.tokenization.tags import find_tags, tag_symbol

# Among them what must not split a line: U+2028, U+0085, form feed; and CSV's quote and comma.
PAIRS = [
    ("cat", "K AE1 T"),
    ("我爱你", "I love you."),
    ("مرحبا", "hello, “world”"),
    ("e\u0301\u2028x\x85y\x0cz", '😀 "quoted", twice'),
    (" padded ", "\u3000wide"),
]


def data_config(**options: Any) -> DataConfig:
    return Config.from_mapping({"data": options}).data


def read(files: Files, **options: Any) -> list[tuple[str, str | None]]:
    pairs = read_pairs(files, data_config(**options), Problems("stop"))
    return [(pair.source, pair.target) for pair in pairs]


def write_tsv(path: Path, pairs: Iterable[tuple[str, str]] = PAIRS) -> Path:
    path.write_bytes("".join(f"{s}\t{t}\n" for s, t in pairs).encode())
    return path


def write_csv(path: Path, pairs: Iterable[tuple[str, str]] = PAIRS) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(pairs)
    return path


def write_jsonl(path: Path) -> Path:
    lines = [json.dumps({"id": 1, "source": s, "target": t}) for s, t in PAIRS]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def table() -> pa.Table:
    return pa.table({"source": [s for s, _ in PAIRS], "target": [t for _, t in PAIRS]})


def write_parquet(path: Path) -> Path:
    pq.write_table(table(), path, row_group_size=2)
    return path


def write_parallel(path: Path) -> ParallelFiles:
    files = ParallelFiles(source=path.with_suffix(".en"), target=path.with_suffix(".de"))
    for file, side in ((files.source, 0), (files.target, 1)):
        file.write_bytes("".join(f"{pair[side]}\n" for pair in PAIRS).encode())
    return files


def write_datasets(folder: Path) -> Path:
    """The layout of ``Dataset.save_to_disk``, in two files."""
    folder.mkdir()
    names = ["data-00000-of-00002.arrow", "data-00001-of-00002.arrow"]
    for name, half in zip(names, (table().slice(0, 3), table().slice(3)), strict=True):
        with pa.ipc.new_stream(folder / name, half.schema) as stream:
            stream.write_table(half, max_chunksize=2)
    state = {"_data_files": [{"filename": name} for name in names]}
    (folder / "state.json").write_text(json.dumps(state), encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("write", "name"),
    [
        (write_tsv, "a.tsv"),
        (write_tsv, "hun.train"),
        (write_csv, "a.csv"),
        (write_jsonl, "a.jsonl"),
        (write_parquet, "a.parquet"),
        (write_parallel, "train"),
        (write_datasets, "saved"),
    ],
)
def test_every_format_gives_the_same_pairs(
    tmp_path: Path, write: Callable[[Path], Files], name: str
) -> None:
    assert read(write(tmp_path / name)) == PAIRS


@pytest.mark.parametrize("write", [write_tsv, write_csv, write_jsonl])
@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_packed_files_read_like_plain_ones(
    tmp_path: Path, write: Callable[[Path], Path], suffix: str
) -> None:
    plain = write(tmp_path / f"a{ {write_tsv: '.tsv', write_csv: '.csv'}.get(write, '.jsonl') }")
    data = plain.read_bytes()
    pack = gzip.compress if suffix == ".gz" else zstandard.compress
    packed = plain.with_name(plain.name + suffix)
    packed.write_bytes(pack(data[:20]) + pack(data[20:]))  # two members in one file
    assert read(packed) == PAIRS


def test_a_folder_that_datasets_wrote_is_read(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()
    datasets.Dataset(table()).save_to_disk(tmp_path / "saved")
    assert read(tmp_path / "saved") == PAIRS


def test_several_files_of_several_formats_keep_their_order(tmp_path: Path) -> None:
    files = [write_csv(tmp_path / "a.csv"), write_parallel(tmp_path / "b")]
    assert read([*files, write_tsv(tmp_path / "c.tsv")]) == PAIRS * 3


def test_pairs_know_their_file_and_line(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('a,b\n"two\nlines",c\nd,e\n', encoding="utf-8")
    config = data_config()
    assert list(read_pairs(path, config, Problems())) == [
        Pair("a", "b", str(path), 1),
        Pair("two\nlines", "c", str(path), 2),
        Pair("d", "e", str(path), 4),
    ]


def test_windows_line_ends_and_a_byte_order_mark_are_taken_off(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_bytes(b"\xef\xbb\xbfa\tb\r\nc\td\r\n")
    assert read(path) == [("a", "b"), ("c", "d")]
    path.with_suffix(".csv").write_bytes(b"\xef\xbb\xbfsource,target\r\na,b\r\n")
    options = {"header": True, "source": "source", "target": "target"}
    assert read(path.with_suffix(".csv"), **options) == [("a", "b")]


def test_tsv_knows_no_quotes(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_text('"a\tb"\nc"\t""\n', encoding="utf-8")
    assert read(path) == [('"a', 'b"'), ('c"', '""')]


def test_columns_by_number_and_by_name(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_text("id\ten\tde\n1\tcat\tKatze\n", encoding="utf-8")
    assert read(path, header=True, source=1, target=2) == [("cat", "Katze")]
    assert read(path, header=True, source="de", target="en") == [("Katze", "cat")]
    assert read(path, source=2, target=0) == [("de", "id"), ("Katze", "1")]


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_keys_by_name_reach_into_objects(tmp_path: Path, kind: str) -> None:
    record = {"a.b": "whole", "translation": {"en": "cat", "de": "Katze"}}
    path = tmp_path / f"a.{kind}"
    if kind == "jsonl":
        path.write_text(json.dumps(record), encoding="utf-8")
    else:
        pq.write_table(pa.Table.from_pylist([record]), path)
    assert read(path, source="translation.en", target="translation.de") == [("cat", "Katze")]
    assert read(path, source="a.b", target="translation.en") == [("whole", "cat")]


def test_parquet_reads_all_kinds_of_text(tmp_path: Path) -> None:
    columns = {
        "source": pa.array(["a", "b"]).dictionary_encode(),
        "target": pa.array(["c", "d"], pa.large_string()),
    }
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    assert read(tmp_path / "a.parquet") == [("a", "c"), ("b", "d")]


# ---------------------------------------------------------------- several source columns, tags


def test_text_columns_stand_with_a_tab_between_and_tags_as_symbols(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_text("cat\tcats\tN;PL\tengl\nsheep\tsheep\tN;;PL; \tengl\n", encoding="utf-8")
    features = {"tags": 2, "separator": ";"}
    assert read(path, source=[0, features]) == [("cat⟪N⟫⟪PL⟫", "cats"), ("sheep⟪N⟫⟪PL⟫", "sheep")]
    assert read(path, source=[{"tags": 3}, 0, features])[0] == ("⟪engl⟫cat⟪N⟫⟪PL⟫", "cats")
    assert read(path, source=[0, 3])[0] == ("cat\tengl", "cats")
    assert read(path, source={"tags": 2})[0] == ("⟪N;PL⟫", "cats")


def test_tags_are_split_at_each_separator(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_text("cat\tcats\tN;A+B.;+C|D\n", encoding="utf-8")
    for separators, tags in [
        ([";"], ["N", "A+B.", "+C|D"]),
        ([";", "+"], ["N", "A", "B.", "C|D"]),
        (["+", "|", ";", "."], ["N", "A", "B", "C", "D"]),
        (["B.;"], ["N;A+", "+C|D"]),
    ]:
        source = [0, {"tags": 2, "separator": separators}]
        assert read(path, source=source) == [("cat" + "".join(f"⟪{t}⟫" for t in tags), "cats")]


def test_tags_of_json_may_be_a_list(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"lemma": "cat", "features": ["N", "PL"], "form": "cats"}', encoding="utf-8")
    options: dict[str, Any] = {"source": ["lemma", {"tags": "features"}], "target": "form"}
    assert read(path, **options) == [("cat⟪N⟫⟪PL⟫", "cats")]
    pq.write_table(pa.Table.from_pylist([json.loads(path.read_text())]), tmp_path / "a.parquet")
    assert read(tmp_path / "a.parquet", **options) == [("cat⟪N⟫⟪PL⟫", "cats")]


def test_tags_are_found_in_order() -> None:
    assert tag_symbol("PL") == "⟪PL⟫"
    assert find_tags("⟪N⟫cat⟪PL⟫⟪N⟫ ⟪ ⟫⟪") == ["⟪N⟫", "⟪PL⟫", "⟪N⟫", "⟪ ⟫"]
    assert find_tags("cat") == []


@pytest.mark.parametrize("tag", ["", "a⟫b", "⟪"])
def test_a_tag_with_brackets_is_refused(tag: str) -> None:
    with pytest.raises(ValueError, match="tag must be text without"):
        tag_symbol(tag)


def test_targets_of_equal_sources_are_grouped_in_order() -> None:
    pairs = [Pair(s, t, "f", n) for n, (s, t) in enumerate(["bx", "ay", "bz", "bx", "aw"], 1)]
    assert group_examples(pairs) == [Example("b", ("x", "z")), Example("a", ("y", "w"))]
    assert group_examples([Pair("a", None, "f", 1)]) == [Example("a", ())]


# ---------------------------------------------------------------- properties

line_text = st.text(
    st.characters(blacklist_categories=["Cs"], blacklist_characters="\t\n\r\ufeff"), min_size=1
).filter(str.strip)
cell_text = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\r\ufeff"))
quick = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


@quick
@given(
    pairs=st.lists(st.tuples(line_text, line_text), min_size=1),
    block=st.integers(1, 40),
    end=st.sampled_from(["\n", "\r\n"]),
    last=st.booleans(),
)
def test_blocks_of_any_size_give_the_same_lines(
    tmp_path: Path, pairs: list[tuple[str, str]], block: int, end: str, last: bool
) -> None:
    text = end.join(f"{s}\t{t}" for s, t in pairs) + end * last
    (tmp_path / "a.tsv").write_bytes(text.encode())
    (tmp_path / "a.tsv.zst").write_bytes(zstandard.compress(text.encode()))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(streams, "_BLOCK_BYTES", block)
        patch.setattr(streams, "_ZSTANDARD_BYTES", block)
        assert read(tmp_path / "a.tsv") == pairs
        assert read(tmp_path / "a.tsv.zst") == pairs


@quick
@given(pairs=st.lists(st.tuples(cell_text, cell_text), min_size=1), block=st.integers(1, 40))
def test_csv_reads_what_csv_writes(
    tmp_path: Path, pairs: list[tuple[str, str]], block: int
) -> None:
    pairs = [(f"s{s}", f"t{t}") for s, t in pairs]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(streams, "_BLOCK_BYTES", block)
        assert read(write_csv(tmp_path / "a.csv", pairs)) == pairs


def test_memory_stays_flat(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_bytes(b"source \ttarget\n" * 200_000)
    pairs = read_pairs(path, data_config(), Problems())
    tracemalloc.start()
    try:
        seen = sum(1 for _ in pairs)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert seen == 200_000
    # Two blocks of 256 KiB as bytes, as text and as lines; all pairs would be 40 MB and more.
    assert peak < 8e6


# ---------------------------------------------------------------- prediction input


def sources(path: str | Path | io.BytesIO, **options: Any) -> list[str]:
    return list(read_sources(path, data_config(**options)))


FEATURES: dict[str, Any] = {"source": [0, {"tags": 2, "separator": ";"}], "target": 1}


def test_a_whole_line_is_the_source_of_a_plain_recipe() -> None:
    stream = io.BytesIO("one\r\n\ntwo\tand a tab\n\u2028".encode())
    assert sources(stream) == ["one", "", "two\tand a tab", "\u2028"]
    assert sources(io.BytesIO(b"")) == []


def test_standard_input_is_a_dash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"a\nb")))
    assert sources("-") == ["a", "b"]


def test_lines_of_a_pipe_are_answered_as_they_come() -> None:
    reading, writing = os.pipe()
    answers: list[str] = []
    answered = threading.Event()
    with os.fdopen(reading, "rb") as stream:

        def follow() -> None:
            for source in read_sources(stream, data_config()):
                answers.append(source)
                answered.set()

        follower = threading.Thread(target=follow, daemon=True)
        follower.start()
        os.write(writing, b"first\n")
        came = answered.wait(10)
        os.close(writing)
        follower.join(10)
    assert came
    assert answers == ["first"]


def test_a_row_of_source_columns_or_of_all_columns() -> None:
    stream = io.BytesIO(b"cat\tN;PL\ncat\tcats\tN;SG\n\ndog\t\tV\n")
    assert sources(stream, **FEATURES) == ["cat⟪N⟫⟪PL⟫", "cat⟪N⟫⟪SG⟫", "", "dog⟪V⟫"]


def test_named_columns_of_standard_input_come_in_the_recipes_order() -> None:
    options = {"source": ["lemma", {"tags": "features"}], "target": "form", "header": True}
    assert sources(io.BytesIO(b"cat\tN\n"), **options) == ["cat⟪N⟫"]


def test_a_table_file_gives_its_source_column(tmp_path: Path) -> None:
    path = write_tsv(tmp_path / "a.tsv")
    assert sources(path) == [s for s, _ in PAIRS]
    assert sources(str(write_csv(tmp_path / "a.csv"))) == [s for s, _ in PAIRS]
    plain = path.rename(tmp_path / "a.txt")
    assert sources(plain) == [f"{s}\t{t}" for s, t in PAIRS]
    assert sources(plain, format="tsv") == [s for s, _ in PAIRS]


def test_a_header_leads_to_the_source_whatever_else_is_there(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    options = {"header": True, "source": "word", "target": "phones"}
    for text in ("id\tword\n1\tcat\n", "word\ncat\n", "phones\tword\nK\tcat\n"):
        path.write_text(text, encoding="utf-8")
        assert sources(path, **options) == ["cat"]


@pytest.mark.parametrize(
    ("write", "name"),
    [(write_jsonl, "a.jsonl"), (write_parquet, "a.parquet"), (write_datasets, "saved")],
)
def test_keyed_files_give_their_sources(
    tmp_path: Path, write: Callable[[Path], Path], name: str
) -> None:
    assert sources(write(tmp_path / name)) == [s for s, _ in PAIRS]


def test_json_lines_from_standard_input_need_no_target() -> None:
    stream = io.BytesIO(b'{"source": "a"}\n{"source": "", "x": 1}\n')
    assert sources(stream, format="jsonl") == ["a", ""]


def test_bad_prediction_input_stops_whatever_the_recipe_says(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="standard input, line 2: line must be UTF-8 text"):
        sources(io.BytesIO(b"a\n\xff\n"), on_error="skip")
    with pytest.raises(DataError, match="line 1: line must have the 2 source columns"):
        sources(io.BytesIO(b"cat\n"), **FEATURES)
    with pytest.raises(DataError, match=r"missing\.txt: file must exist"):
        sources(tmp_path / "missing.txt")
    (tmp_path / "a.tsv").write_text("a\tb\n")
    with pytest.raises(DataError, match="line 1: header must name the column 'word'; got a, b"):
        sources(tmp_path / "a.tsv", header=True, source="word", target="b")
