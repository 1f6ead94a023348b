"""The scripts beside the recipes: what they write is what the recipes read."""

from __future__ import annotations

import doctest
import gzip
import importlib.util
import itertools
import json
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

FOLDER = Path(__file__).parent.parent / "recipes"


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"recipe_{name}", FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(module: ModuleType, monkeypatch: pytest.MonkeyPatch, *arguments: str | Path) -> None:
    monkeypatch.setattr(sys, "argv", ["script", *map(str, arguments)])
    module.main()


def manifest(path: Path) -> list[tuple[Path, str]]:
    """Pictures and texts; every picture is there."""
    rows = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()]
    pairs = [(path.parent / name, text) for name, text in rows]
    assert all(picture.is_file() for picture, _ in pairs)
    return pairs


@pytest.mark.parametrize("name", ["im2latex", "self_dialogue", "tuxpaint"])
def test_docstrings_show_what_python_says(name: str) -> None:
    result = doctest.testmod(script(name))
    assert result.attempted > 0
    assert result.failed == 0


# ---------------------------------------------------------------- digits


def write_digits(folder: Path, monkeypatch: pytest.MonkeyPatch, seed: int = 1) -> None:
    sizes = ("--train", 30, "--dev", 5, "--test", 40, "--seed", seed)
    run(script("digits_image"), monkeypatch, folder, *sizes)


def test_strings_of_digits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_digits(tmp_path, monkeypatch)
    for split, count in {"train": 30, "dev": 5, "test": 40}.items():
        pairs = manifest(tmp_path / f"{split}.tsv")
        assert len(pairs) == count
        for picture, digits in pairs:
            assert 1 <= len(digits) <= 8
            assert set(digits) <= set("0123456789")
            with Image.open(picture) as image:
                assert image.mode == "L"
                assert image.height == 20
                assert 14 * len(digits) <= image.width <= 20 * len(digits) + 4


def test_digits_are_the_same_on_every_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    contents = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        write_digits(tmp_path / name, monkeypatch, seed)
        files = sorted((tmp_path / name).rglob("*.*"))
        contents.append([path.read_bytes() for path in files])
    assert contents[0] == contents[1] != contents[2]


def test_no_digit_of_the_test_part_is_in_training() -> None:
    module = script("digits_image")
    splits = {split: module.digits_of(split) for split in module.SPLITS}
    assert sum(len(labels) for _, labels in splits.values()) == 1797
    seen = {picture.tobytes() for picture in splits["train"][0]}
    assert not any(picture.tobytes() in seen for picture in splits["test"][0])


def test_a_test_string_shows_its_digits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_digits(tmp_path, monkeypatch)
    pictures, labels = script("digits_image").digits_of("test")
    single = [pair for pair in manifest(tmp_path / "test.tsv") if len(pair[1]) == 1]
    assert single
    for path, digit in single:
        with Image.open(path) as image:
            line = np.asarray(image)
        found = {
            str(label)
            for picture, label in zip(pictures, labels, strict=True)
            for top in range(5)
            if np.array_equal(line[top : top + 16, 2:18], picture)
        }
        assert found == {digit}


# ---------------------------------------------------------------- formulas


def test_formulas(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "sample"
    (source / "images").mkdir(parents=True)
    formulas = [
        r"a^{2}=\alpha\label{x}",
        "%b % not shown",
        r"\label{only}",
        "é \\\\ \\%",
        r"c\quad\hspace*{1cm}",
    ]
    (source / "formulas.lst").write_bytes("\n".join(formulas).encode("latin-1"))
    lists = {"train": "0 aa basic\n2 bb basic\n3 cc basic\n", "validate": "1 dd basic\n"}
    for name, text in {**lists, "test": "4 ee basic\n"}.items():
        (source / f"{name}.lst").write_text(text)
    for name in ("aa", "bb", "cc", "dd", "ee"):
        Image.new("L", (4, 4)).save(source / "images" / f"{name}.png")
    run(script("im2latex"), monkeypatch, source, tmp_path / "out" / "deep")
    train, dev, test = (
        [(path.stem, text) for path, text in manifest(tmp_path / "out" / "deep" / f"{split}.tsv")]
        for split in ("train", "dev", "test")
    )
    assert train == [("aa", r"a ^ { 2 } = \alpha"), ("cc", r"é \\ \%")]
    assert dev == [("dd", "b")]
    assert test == [("ee", r"c \quad \hspace* { 1 c m }")]


# ---------------------------------------------------------------- dialogues


def test_dialogues(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    talks = [[f"turn {turn} of {talk}" for turn in range(3)] for talk in range(200)]
    folder, file = tmp_path / "texts", tmp_path / "talks.jsonl.gz"
    folder.mkdir()
    for talk, turns in enumerate(talks):
        (folder / f"{talk}.txt").write_text("".join(f"{turn}\n" for turn in turns))
    file.write_bytes(gzip.compress("\n".join(json.dumps({"turns": t}) for t in talks).encode()))
    written = []
    for source, output in ((folder, tmp_path / "a"), (file, tmp_path / "b")):
        run(script("self_dialogue"), monkeypatch, source, output)
        texts = {split: (output / f"{split}.tsv").read_text() for split in ("train", "dev", "test")}
        written.append({split: set(text.splitlines()) for split, text in texts.items()})
    assert written[0] == written[1]
    whole = {f"{a}\t{b}" for turns in talks for a, b in itertools.pairwise(turns)}
    assert set.union(*written[0].values()) == whole
    assert sum(map(len, written[0].values())) == len(whole)
    of = [{line.rpartition(" ")[2] for line in lines} for lines in written[0].values()]
    assert sum(map(len, of)) == len(talks)  # no dialogue is on two sides
    assert len(of[0]) > 150


# ---------------------------------------------------------------- captions


def write_stamp(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (4, 4)).save(path)
    path.with_suffix(".txt").write_text(text, encoding="utf-8")


def test_captions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stamps = tmp_path / "stamps"
    for number in range(60):
        german = f"de.utf8=Nr. {number}.\n" if number % 2 else ""
        path = stamps / f"group{number % 3}" / f"{number}.png"
        write_stamp(path, f"No. {number}.\n{german}")
    Image.new("L", (4, 4)).save(stamps / "mask.png")  # without a text
    pairs = {}
    for language in ("en", "de"):
        run(script("tuxpaint"), monkeypatch, stamps, tmp_path / language, "--language", language)
        splits = [manifest(tmp_path / language / f"{p}.tsv") for p in ("train", "dev", "test")]
        assert [bool(split) for split in splits] == [True, True, True]
        pairs[language] = [pair for split in splits for pair in split]
    assert {(p.stem, text) for p, text in pairs["en"]} == {(str(n), f"No. {n}.") for n in range(60)}
    assert {text for _, text in pairs["de"]} == {f"Nr. {n}." for n in range(1, 60, 2)}


def test_captions_with_categories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stamps = tmp_path / "stamps"
    for number in range(60):
        folder = stamps / "animals" / "birds" if number % 2 else stamps
        write_stamp(folder / f"{number}.png", f"No. {number}.\n")
    run(script("tuxpaint"), monkeypatch, stamps, tmp_path / "out", "--categories")
    files = [tmp_path / "out" / f"{split}.tsv" for split in ("train", "dev", "test")]
    rows = [line.split("\t") for file in files for line in file.read_text("utf-8").splitlines()]
    assert len(rows) == 60
    for path, category, text in rows:
        number = int(Path(path).stem)
        assert category == ("animals birds" if number % 2 else "")
        assert text == f"No. {number}."
