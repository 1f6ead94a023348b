"""Parts of a mixture: what they take over from the section, their tags, what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from transduce.batches.changes.tag_order import shuffle_tags
from transduce.checks.doctor import examine
from transduce.config import Config, DataConfig, ParallelFiles
from transduce.errors import ConfigError, DataError
from transduce.reading.pair_files import Pair, read_pairs
from transduce.reading.parts import find_part, part_data, part_tags, parts_of, refuse_tags
from transduce.reading.problems import Problems


def config(tokenizer: dict[str, Any] | None = None, **data: Any) -> Config:
    return Config.from_mapping({"data": data, "tokenizer": tokenizer or {}})


TWO: dict[str, Any] = {"ice": {"train": "i.tsv"}, "kor": {"train": "k.tsv", "tag": "2ko"}}


# ---------------------------------------------------------------- what a part is


def test_a_part_reads_as_the_section_says_where_it_says_nothing() -> None:
    own = {"train": "b.csv", "format": "csv", "header": False, "source": ["x"], "target": "y"}
    data = config(
        parts={"plain": {"train": "a.tsv", "dev": "d.tsv"}, "own": own},
        header=True,
        source=2,
        target="form",
        max_source_length=7,
        on_error="skip",
    ).data
    plain, other = part_data(data).values()
    assert (plain.train, plain.dev, plain.test) == (Path("a.tsv"), Path("d.tsv"), None)
    assert (plain.header, plain.source, plain.target, plain.format) == (True, 2, "form", "auto")
    assert (other.header, other.source, other.target, other.format) == (False, ["x"], "y", "csv")
    assert plain.parts is other.parts is None
    assert plain.max_source_length == other.max_source_length == 7
    assert plain.on_error == other.on_error == "skip"


def test_relative_paths_are_taken_from_the_folder() -> None:
    pair = {"source": "s", "target": "/t"}
    only = part_data(DataConfig(train=["a.tsv", pair], dev="/d.tsv", folder="f"))[""]
    assert only.train == [Path("f/a.tsv"), ParallelFiles(source="f/s", target="/t")]
    assert only.dev == Path("/d.tsv")
    parts = part_data(config(parts=TWO, folder="f").data)
    assert parts["kor"].train == Path("f/k.tsv")
    assert part_data(parts["kor"])[""].train == Path("f/k.tsv")  # and not twice


@pytest.mark.parametrize(
    ("tags", "source", "target"),
    [
        ("source", "⟪2ko⟫a", "b"),
        ("target", "a", "⟪2ko⟫b"),
        ("both", "⟪2ko⟫a", "⟪2ko⟫b"),
        ("none", "a", "b"),
    ],
)
def test_tags_stand_where_they_are_asked_for(tags: str, source: str, target: str) -> None:
    part = parts_of(config(parts=TWO, tags=tags))["kor"]
    assert (part.source("a"), part.target("b")) == (source, target)
    assert list(part.tagged(iter([Pair("a", "b", "f", 3)]))) == [Pair(source, target, "f", 3)]


def test_the_tag_is_the_parts_name_where_none_is_given() -> None:
    assert parts_of(config(parts=TWO))["ice"].source("a") == "⟪ice⟫a"


def test_targets_from_right_to_left_end_with_the_tag_that_is_written_first() -> None:
    tokenizer = {"target": {"right_to_left": True}}
    part = parts_of(config(tokenizer, parts=TWO, tags="target"))["ice"]
    assert part.target("ab") == "ab⟪ice⟫"


# ---------------------------------------------------------------- which part


def test_a_part_is_found_by_name() -> None:
    mixture = config(parts=TWO)
    assert find_part(mixture, "kor").name == "kor"
    with pytest.raises(ConfigError, match=r"^part must be one of ice, kor \(--part NAME\); got no"):
        find_part(mixture, None)
    message = "^part must be one of ice, kor; got 'kr', did you mean kor"
    with pytest.raises(ConfigError, match=message):
        find_part(mixture, "kr")
    with pytest.raises(ConfigError, match=r"got 'zzz'$"):
        find_part(mixture, "zzz")


def test_the_only_part_needs_no_name() -> None:
    alone = config(parts={"ice": {"train": "i.tsv"}})
    assert find_part(alone, None) == find_part(alone, "ice")


def test_one_data_set_has_no_parts() -> None:
    single = config(train="a.tsv", source=3)
    assert find_part(single, None).data.source == 3
    with pytest.raises(
        ConfigError, match=r"^part must be none for a model of a single data set; g"
    ):
        find_part(single, "ice")


def test_without_tags_no_part_has_to_be_named() -> None:
    mixture = config(parts=TWO, tags="none", source=3)
    part = find_part(mixture, None)
    assert (part.source("a"), part.data.source) == ("a", 3)
    assert find_part(mixture, "ice").name == "ice"


def test_without_tags_a_part_is_named_where_all_have_tokenizers_of_their_own() -> None:
    own = {"tokenizer": {"target": {"kind": "byte"}}}
    parts = {name: {**part, **own} for name, part in TWO.items()}
    with pytest.raises(ConfigError, match=r"^part must be one of ice, kor \(--part NAME\); got no"):
        find_part(config(parts=parts, tags="none"), None)
    parts["ice"] = TWO["ice"]
    assert find_part(config(parts=parts, tags="none"), None).name == ""


# ---------------------------------------------------------------- tags that are text already


def write(path: Path, *lines: str) -> Path:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def test_a_tag_in_the_text_is_told_with_file_and_line(tmp_path: Path) -> None:
    file = write(tmp_path / "a.tsv", "a\tb", "⟪x⟫\ty", "⟪ice⟫c\td", "e\t⟪2ko⟫f")
    mixture = config(parts={"ice": {"train": str(file)}, "kor": TWO["kor"]})
    tags = part_tags(parts_of(mixture))
    assert tags == {"⟪ice⟫", "⟪2ko⟫"}

    def read(on_error: str) -> tuple[list[str], Problems]:
        data = part_data(mixture.updated({"data.on_error": on_error}).data)["ice"]
        problems = Problems(data.on_error)
        pairs = refuse_tags(read_pairs(file, data, problems), tags, problems)
        return [pair.source for pair in pairs], problems

    with pytest.raises(DataError, match=r"a\.tsv, line 3: source must not hold the tag of a part"):
        read("stop")
    sources, problems = read("skip")
    assert sources == ["a", "⟪x⟫"]
    assert problems.counts == {"tag of a part": 2}
    assert "line 4: target must not hold" in problems.examples["tag of a part"][1]


def test_a_column_of_tags_must_not_hold_the_parts_own(tmp_path: Path) -> None:
    file = write(tmp_path / "a.tsv", "form\ta\tV;N")
    part = {"train": str(file), "source": [0, {"tags": 2, "separator": ";"}], "tag": "N"}
    mixture = config(parts={"inflect": part})
    data, problems = part_data(mixture.data)["inflect"], Problems("stop")
    pairs = refuse_tags(read_pairs(file, data, problems), part_tags(parts_of(mixture)), problems)
    with pytest.raises(DataError, match=r"line 1: source must not hold the tag of a part .*⟪N⟫"):
        list(pairs)


def test_the_parts_tag_stays_in_front_of_shuffled_ones() -> None:
    import numpy as np
    import torch

    tokens = torch.tensor([[9, 10, 11, 12, 5, 10, 11, 3]])
    chance = np.array([[9, 8, 7, 6, 5, 4, 3, 2]], dtype=np.uint64) << np.uint64(40)
    fixed = np.array([9])
    assert shuffle_tags(tokens, 9, chance, fixed).tolist() == [[9, 12, 11, 10, 5, 11, 10, 3]]
    assert shuffle_tags(tokens, 9, chance).tolist() == [[12, 11, 10, 9, 5, 11, 10, 3]]


# ---------------------------------------------------------------- the doctor


def test_the_doctor_sees_each_part(tmp_path: Path) -> None:
    train = write(tmp_path / "a.tsv", *(f"{n}a\tb" for n in range(9)), "⟪kor⟫z\tb")
    other = write(tmp_path / "b.tsv", "x\ty")
    parts = {
        "ice": {"train": str(train), "test": str(write(tmp_path / "t.tsv", "3a\tb", "q\tr"))},
        "kor": {"train": str(other), "weight": 2},
    }
    report = examine(config(parts=parts, temperature=2).data)
    assert list(report.splits) == ["ice train", "ice test", "kor train"]
    assert report.splits["ice train"].problems["reasons"] == {"tag of a part": 1}
    assert report.leakage["ice test"].sources == 1
    shares = report.to_dict()["mixture"]
    assert shares["ice"] == pytest.approx({"pairs": 9, "share": 0.6, "times": 0.6 * 10 / 9})
    assert shares["kor"] == pytest.approx({"pairs": 1, "share": 0.4, "times": 4})
    assert "  kor: 1 training pairs, 40.0 % of an epoch, each pair 4.00 times" in report.render()
    assert "mixture" not in examine(DataConfig(train=str(other))).to_dict()
