"""``transduce predict`` without torch: the same answers, and whatever it cannot do left alone."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from transduce.commands.answering.light_models import light_models
from transduce.commands.predicting.at_once import answers_at_once
from transduce.commands.predicting.request import Request
from transduce.config import Config, WeightNumber
from transduce.errors import ModelError
from transduce.kernels.cache import cache_folders
from transduce.kernels.library import load_library
from transduce.light.light_model import known_model
from transduce.light.prediction_records import record_key
from transduce.light.recording import record_of, remember
from transduce.tokenization.tokenizer import Tokenizer
from transduce.workflow.shrinking import shrink
from transduce.workflow.trained import TrainedModel

TEXTS = ["the cat sat on the mat", "", "a dog ⟪X⟫ ran", "sat sat sat the unknown", "the cat"]
_STACK = {"kind": "transformer", "layers": 1, "width": 16, "feedforward": 32, "heads": 2}
_LSTM = {"kind": "lstm", "width": 16}
_LIBRARIES = ["torch", "pydantic", "typer", "yaml"]
_PROGRAM = f"""
import atexit, json, sys
from transduce.__main__ import main
names = {_LIBRARIES}
atexit.register(lambda: print(json.dumps([n in sys.modules for n in names]), file=sys.stderr))
main()
"""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own, with the kernels that are there already."""
    library = load_library().path
    folder = tmp_path / "cache" / "transduce"
    folder.mkdir(parents=True, mode=0o700)
    for name in (library.name, f"{library.name}.sha256"):
        shutil.copy(library.parent / name, folder / name)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert cache_folders()[0] == folder
    return folder


def saved(folder: Path, stored: WeightNumber = "float32", **sections: Any) -> TrainedModel:
    """A model that has learned nothing, saved and read again."""
    config = Config.from_mapping(
        {
            "data": {"train": "pairs.tsv"},
            "model": {"encoder": _STACK, "decoder": _STACK},
            "search": {"max_length": 9, "beam": 2},
            **sections,
        }
    )
    sides = [
        Tokenizer.train(TEXTS, side, tags=["⟪X⟫"])
        for side in (config.tokenizer.source, config.tokenizer.target)
    ]
    trained = TrainedModel.fresh(config, sides[0], sides[1])
    if stored != "float32":
        trained = shrink(trained, stored)
    trained.save(folder)
    return TrainedModel.load(folder, "cpu")


def remembered(folder: Path, stored: WeightNumber = "float32", **sections: Any) -> TrainedModel:
    trained = saved(folder, stored, **sections)
    remember(trained, folder, record_key(folder))
    return trained


def tokenizers(kind: str, **options: Any) -> dict[str, Any]:
    side = {"kind": kind, **options}
    return {"tokenizer": {"source": side, "target": side}}


@pytest.mark.parametrize(
    ("stored", "sections"),
    [
        ("float32", tokenizers("character")),
        ("float32", tokenizers("word", right_to_left=True, lowercase=True)),
        ("int8", tokenizers("bpe", vocabulary_size=280)),
        ("int8", tokenizers("unigram", vocabulary_size=280, normalization="nfkc")),
        ("bfloat16", tokenizers("whitespace")),
        ("int4", tokenizers("byte")),
        ("int8", {"model": {"encoder": _LSTM, "decoder": _LSTM}}),
        ("float32", {"engine": "float32", "search": {"prefix": "a", "max_length": 5}}),
        ("int8", {"search": {"max_source_length": 4, "length_normalization": "gnmt"}}),
    ],
)
def test_answers_are_those_of_the_whole_model(
    stored: WeightNumber, sections: dict[str, Any], tmp_path: Path, cache: Path
) -> None:
    trained = remembered(tmp_path / "model", stored, **sections)
    light = known_model(tmp_path / "model")
    assert light is not None
    for beam, nbest in ((None, None), (1, None), (None, 3), (4, 2)):
        search = trained.config.search
        width = beam or max(search.beam, nbest or 1)
        options = search.model_copy(update={"beam": width, "nbest": nbest or search.nbest})
        asked = light.search.asked(beam, nbest)
        assert asked is not None
        assert [*light.predict(TEXTS, asked)] == [*trained.predict(TEXTS, options)]


def program(arguments: Sequence[str], text: str = "") -> tuple[str, list[bool]]:
    """What the program writes, and whether each library was loaded."""
    found = subprocess.run(
        [sys.executable, "-c", _PROGRAM, *arguments],
        input=text,
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    return found.stdout, json.loads(found.stderr.splitlines()[-1])


def test_the_second_prediction_loads_no_torch(tmp_path: Path, cache: Path) -> None:
    trained = saved(tmp_path / "model", "int8")
    lines = "".join(f"{text}\n" for text in TEXTS)
    file = tmp_path / "sources.txt"
    file.write_text(lines, encoding="utf-8")
    asked = ["predict", str(tmp_path / "model")]
    first, loaded = program([*asked, str(file), "--format", "jsonl"])
    assert loaded[0]
    again, loaded = program([*asked, str(file), "--format=jsonl"])
    assert loaded == [False] * len(_LIBRARIES)
    assert again == first
    piped, loaded = program([*asked, "--beam", "1", "--output", str(tmp_path / "out")], lines)
    assert (piped, loaded[0]) == ("", False)
    options = trained.config.search.greedily()
    expected = [outputs[0].text for outputs in trained.predict(TEXTS, options)]
    assert (tmp_path / "out").read_text(encoding="utf-8").splitlines() == expected


@pytest.mark.parametrize("kind", ["parquet", "txt"])
def test_a_corpus_in_blocks_loads_no_torch(kind: str, tmp_path: Path, cache: Path) -> None:
    saved(tmp_path / "model", "int8")
    file = tmp_path / f"sources.{kind}"
    if kind == "parquet":
        pq.write_table(pa.table({"source": TEXTS}), file)
    else:
        file.write_text("".join(f"{text}\n" for text in TEXTS), encoding="utf-8")
    asked = ["predict", str(tmp_path / "model"), str(file), "--on", "here", "--nbest", "2"]
    out = [tmp_path / "first", tmp_path / "again"]
    for folder, torch in zip(out, (True, False), strict=True):
        _, loaded = program([*asked, "--block", "2", "--output", str(folder)])
        assert loaded[0] == torch
    blocks = [sorted(folder.glob("block-*.parquet")) for folder in out]
    assert len(blocks[0]) == 3
    assert [p.read_bytes() for p in blocks[0]] == [p.read_bytes() for p in blocks[1]]
    assert pq.read_table(out[0])["source"].to_pylist() == TEXTS
    # What the whole model began, a light one goes on with.
    assert (out[0] / "_corpus.json").read_bytes() == (out[1] / "_corpus.json").read_bytes()


@pytest.mark.parametrize(
    ("name", "options", "is_light"),
    [
        ("sources.txt", {}, True),
        ("sources.parquet", {"nbest": 3}, True),
        ("sources.csv", {}, False),
        ("sources.jsonl", {}, False),
        ("sources.parquet", {"column": "source"}, False),
        ("sources.txt", {"overrides": ("search.beam=3",)}, False),
        ("sources.txt", {"alignments": True}, False),
        ("sources.txt", {"beam": 2, "nbest": 3}, False),
    ],
)
def test_a_corpus_that_needs_more_is_left_alone(
    name: str, options: dict[str, Any], is_light: bool, tmp_path: Path, cache: Path
) -> None:
    remembered(tmp_path / "model")
    request = Request(tmp_path / "model", (name,), **options)
    assert (light_models(request) is not None) == is_light


def test_a_closed_standard_input_is_one_line(tmp_path: Path, cache: Path) -> None:
    remembered(tmp_path / "model")
    command = [sys.executable, "-m", "transduce", "predict", str(tmp_path / "model")]
    found = subprocess.run(
        ["sh", "-c", 'exec "$@" <&-', "sh", *command], capture_output=True, text=True, check=False
    )
    assert (found.returncode, found.stdout) == (2, "")
    said = "transduce: standard input: file must be readable; got: Bad file descriptor\n"
    assert found.stderr == said


def test_a_record_is_answered_in_its_place_and_named(tmp_path: Path, cache: Path) -> None:
    remembered(tmp_path / "model")
    file = tmp_path / "sources.txt"
    file.write_bytes(b"the cat\n\xff\xfe\nthe mat\n")
    found = subprocess.run(
        [sys.executable, "-m", "transduce", "predict", str(tmp_path / "model"), str(file)],
        capture_output=True,
        check=False,
    )
    assert found.returncode == 2
    assert len(found.stdout.splitlines()) == 3
    assert found.stdout.splitlines()[1] == b""
    assert found.stderr.startswith(b"transduce: " + os.fsencode(file) + b", line 2")


@pytest.mark.parametrize(
    "words",
    [
        ["search.sample=true"],
        ["--confidence"],
        ["--beam", "0"],
        ["--beam", "x"],
        ["--beam", "2", "--beam", "3"],
        ["--nbest", "3", "--beam", "2"],
        ["--format", "csv"],
        ["--format"],
        ["--ensemble", "other"],
        ["table.tsv"],
        ["nowhere.txt"],
        ["--output", "nowhere/out.txt"],
        ["--output", "sources.txt", "sources.txt"],
    ],
)
def test_what_needs_more_is_left_alone(
    words: list[str], tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remembered(tmp_path / "model")
    monkeypatch.chdir(tmp_path)
    for name in ("sources.txt", "table.tsv"):
        (tmp_path / name).write_text("a\n")
    given = [] if any(word.endswith((".txt", ".tsv")) for word in words) else ["sources.txt"]
    assert answers_at_once(["predict", "model", *given, *words]) is None


def test_models_that_need_more_have_no_record(tmp_path: Path, cache: Path) -> None:
    relative = {**_STACK, "positions": "relative"}
    for number, sections in enumerate(
        (
            {"search": {"sample": True}},
            {"search": {"no_repeat_ngram": 2}},
            {"search": {"coverage_penalty": 0.1}},
            {"model": {"encoder": relative, "decoder": relative}},
            {"model": {"encoder": _STACK, "decoder": _STACK, "copy": True}},
            {"engine": "reference"},
            {"data": {"train": "pairs.csv", "format": "csv"}},
        )
    ):
        trained = saved(tmp_path / str(number), **sections)
        assert record_of(trained, tmp_path / str(number)) is None, sections


def test_a_model_that_changed_is_another(tmp_path: Path, cache: Path) -> None:
    folder = tmp_path / "model"
    trained = remembered(folder)
    assert known_model(folder) is not None
    config = folder / "config.yaml"
    config.write_text(config.read_text().replace("max_length: 9", "max_length: 8"))
    assert known_model(folder) is None
    remember(trained, folder, record_key(tmp_path / "none"))
    assert known_model(folder) is None


def test_damage_is_noticed(tmp_path: Path, cache: Path) -> None:
    folder = tmp_path / "model"
    remembered(folder)
    for name in ("model.safetensors", "target.tokenizer.json"):
        path = folder / name
        whole = path.read_bytes()
        path.write_bytes(whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:])
        assert known_model(folder) is None
        with pytest.raises(ModelError, match=r"must be the file that was saved|must be whole"):
            TrainedModel.load(folder, "cpu")
        path.write_bytes(whole)
        assert known_model(folder) is not None


def test_records_of_others_are_not_read(tmp_path: Path, cache: Path) -> None:
    folder = tmp_path / "model"
    remembered(folder)
    record = next(cache.glob("prediction-*.json"))
    assert known_model(folder) is not None
    record.chmod(0o666)
    assert known_model(folder) is None
    record.chmod(0o600)
    record.write_text("{}")
    assert known_model(folder) is None
    record.write_text("no JSON")
    assert known_model(folder) is None


def test_without_checksums_or_kernels_there_is_no_key(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "model"
    remembered(folder)
    monkeypatch.setenv("TRANSDUCE_NATIVE", "0")
    assert known_model(folder) is None
    monkeypatch.delenv("TRANSDUCE_NATIVE")
    (folder / "SHA256SUMS").unlink()
    assert record_key(folder) is None
    assert known_model(folder) is None


def test_the_newest_hundred_records_stay(tmp_path: Path, cache: Path) -> None:
    for number in range(105):
        old = cache / f"prediction-2-{number}.json"
        old.write_text("{}")
        os.utime(old, (number, number))
    remembered(tmp_path / "model")
    left = {path.name for path in cache.glob("prediction-*.json")}
    assert len(left) == 100
    assert "prediction-2-5.json" not in left
    assert "prediction-2-6.json" in left
    assert known_model(tmp_path / "model") is not None
