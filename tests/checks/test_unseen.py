"""What dev and test hold that train never shows, against counts made by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from transduce.checks.doctor import CheckReport, examine
from transduce.config import Config

TRAIN = [("abc", "K Z"), ("cab", "Z K"), ("bca", "K K Z"), ("acb", "Z")]


def examined(
    folder: Path, splits: dict[str, list[tuple[str, str]]], **sections: Any
) -> CheckReport:
    data = {}
    for name, pairs in splits.items():
        path = folder / f"{name}.tsv"
        path.write_text("".join(f"{source}\t{target}\n" for source, target in pairs))
        data[name] = str(path)
    config = Config.from_mapping({"data": data, **sections})
    return examine(config.data, config)


def test_symbols_that_train_has_not(tmp_path: Path) -> None:
    dev = [("abd", "K"), ("xyd", "K Q"), ("ba", "Z K"), ("ab", "Z")]
    report = examined(tmp_path, {"train": TRAIN, "dev": dev, "test": [("ca", "W")]})
    findings = report.splits["dev"].findings
    assert findings["sources with symbols not in train"] == 2
    assert findings["targets with symbols not in train"] == 1
    [example] = report.splits["dev"].examples["targets with symbols not in train"]
    assert example.endswith("dev.tsv, line 2: xyd → K Q")
    assert "sources with symbols not in train" not in report.splits["train"].findings
    said = report.render()
    for line in (
        "dev has 2 sources that are read with <unk>: 3 of their symbols stand nowhere in train (d ",
        "dev has 1 targets that cannot be written right: 1 of their symbols stand nowhere in train "
        "(Q)",
        "test has 1 targets that cannot be written right: 1 of their symbols stand nowhere in "
        "train (W)",
    ):
        assert f"warning: {line}" in said


@pytest.mark.parametrize(
    ("kind", "strange"), [("whitespace", 1), ("word", 1), ("character", 0), ("byte", 0), ("bpe", 0)]
)
def test_the_tokenizer_says_what_a_symbol_is(tmp_path: Path, kind: str, strange: int) -> None:
    splits = {"train": TRAIN, "dev": [("ab", "KZ"), ("bc", "Z")]}
    report = examined(tmp_path, splits, tokenizer={"target": {"kind": kind}})
    assert report.splits["dev"].findings["targets with symbols not in train"] == strange


def test_normal_forms_are_one_symbol(tmp_path: Path) -> None:
    splits = {"train": [("é", "x"), ("b", "x")], "dev": [("e\u0301", "X")]}
    normal = {"source": {"normalization": "nfc"}, "target": {"lowercase": True}}
    findings = examined(tmp_path, splits, tokenizer=normal).splits["dev"].findings
    assert findings["sources with symbols not in train"] == 0
    assert findings["targets with symbols not in train"] == 0
    findings = examined(tmp_path, splits).splits["dev"].findings
    assert findings["sources with symbols not in train"] == 1
    assert findings["targets with symbols not in train"] == 1


def test_texts_that_are_longer_than_all_of_train(tmp_path: Path) -> None:
    splits = {"train": TRAIN, "dev": [("abcabc", "K"), ("ab", "K"), ("cab", "Z K Z K")]}
    report = examined(tmp_path, splits)
    findings = report.splits["dev"].findings
    assert findings["sources longer than all in train"] == 1
    assert findings["targets longer than all in train"] == 0 + (len("Z K Z K") > len("K K Z"))
    assert "warning: dev has 1 sources that are longer than all in train" in report.render()


def test_columns_the_other_way_round(tmp_path: Path) -> None:
    turned = [(target, source) for source, target in TRAIN]
    said = "seems to have its columns the other way round"
    assert said in examined(tmp_path, {"train": TRAIN, "dev": turned}).render()
    assert said not in examined(tmp_path, {"train": TRAIN, "dev": TRAIN}).render()
    same = [("ab", "ba"), ("cb", "bc")]
    assert said not in examined(tmp_path, {"train": same, "dev": same}).render()


def test_dev_and_test_that_share_sources(tmp_path: Path) -> None:
    splits = {"train": TRAIN, "dev": [("a", "K"), ("b", "K")], "test": [("a", "Z"), ("c", "K")]}
    said = "warning: test shares 1 of its 2 sources with dev, by which a model is chosen"
    assert said in examined(tmp_path, splits).render()
    del splits["dev"]
    assert "shares" not in examined(tmp_path, splits).render()


def test_a_header_that_is_read_as_a_pair(tmp_path: Path) -> None:
    said = "train begins with what looks like the names of columns (source, target)"
    assert said in examined(tmp_path, {"train": [("source", "target"), *TRAIN]}).render()
    assert said not in examined(tmp_path, {"train": TRAIN}).render()
