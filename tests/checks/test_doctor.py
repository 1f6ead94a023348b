"""The data doctor on data with known illnesses, against counts made by hand or by brute force."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transduce.checks import doctor
from transduce.checks.doctor import Leakage, examine
from transduce.checks.doctor_report import Lengths
from transduce.checks.leakage import Fingerprints, LeakageCounter
from transduce.config import Config, DataConfig, PartConfig
from transduce.errors import ConfigError
from transduce.reading.pair_files import Pair


def data_config(**options: Any) -> DataConfig:
    return Config.from_mapping({"data": options}).data


def as_pairs(texts: list[tuple[str, str]]) -> list[Pair]:
    return [Pair(source, target, "file", n) for n, (source, target) in enumerate(texts, 1)]


def write(path: Path, lines: list[str]) -> str:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return str(path)


TRAIN = [
    "cat\tK AE T",
    "dog\tD AO G",
    "read\tR IY D",
    "read\tR EH D",
    "cat\tK AE T",
    "same\tsame",
    "broken",
    "a\t" + "X " * 20 + "Y",
    "read\tR IY D",
]
DEV = ["cat\tK AE T", "dog\tD O G", "new\tN UW", "\tempty"]


@pytest.fixture
def report(tmp_path: Path) -> doctor.CheckReport:
    files = {"train": write(tmp_path / "train.tsv", TRAIN), "dev": write(tmp_path / "dev.tsv", DEV)}
    return examine(data_config(**files))


def test_findings_are_counted(report: doctor.CheckReport) -> None:
    train = report.splits["train"]
    assert train.pairs == 8
    assert train.findings == {
        "duplicates": 2,
        "sources with several targets": 1,
        "source = target": 1,
        "odd length ratios": 1,
    }
    assert train.problems["reasons"] == {"wrong number of columns": 1}
    assert report.splits["dev"].findings["sources also in train"] == 2
    assert report.splits["dev"].problems["reasons"] == {"empty source": 1}
    assert report.leakage == {"dev": Leakage(pairs=1, sources=2, total=3)}


def test_findings_are_shown_with_file_and_line(report: doctor.CheckReport, tmp_path: Path) -> None:
    path = tmp_path / "train.tsv"
    examples = report.splits["train"].examples
    assert examples["duplicates"] == (
        f"{path}, line 5: cat → K AE T",
        f"{path}, line 9: read → R IY D",
    )
    assert examples["sources with several targets"] == (f"{path}, line 4: read → R EH D",)
    assert examples["source = target"] == (f"{path}, line 6: same → same",)
    assert examples["odd length ratios"][0].startswith(f"{path}, line 8: a → X X")
    assert len(report.splits["dev"].examples["sources also in train"]) == 2


def test_lengths_and_vocabulary(report: doctor.CheckReport) -> None:
    train = report.splits["train"]
    sources = [line.split("\t")[0] for line in TRAIN if "\t" in line]
    assert train.source.characters.counts == Counter(map(len, sources))
    assert train.target.words.counts == {3: 6, 1: 1, 21: 1}
    characters = Counter("".join(sources))
    assert train.source.character_vocabulary.distinct == len(characters)
    assert train.source.character_vocabulary.once == list(characters.values()).count(1)
    assert train.source.character_vocabulary.most_frequent[0] == characters.most_common(1)[0]
    assert dict(train.target.word_vocabulary.most_frequent)["X"] == 20


def test_warnings_are_what_must_be_seen(report: doctor.CheckReport) -> None:
    assert report.warnings == (
        "train has 1 bad lines",
        "train has many duplicates: 2 of 8 pairs",
        "train has many odd length ratios: 1 of 8 pairs",
        "dev has 1 bad lines",
        "dev is not unseen: 2 of 3 sources also in train, 1 with the same target",
        "dev has 1 sources that are read with <unk>: 2 of their symbols stand nowhere in train "
        "(n w)",
        "dev has 1 targets that cannot be written right: 3 of their symbols stand nowhere in train "
        "(N U W)",
    )


def test_the_text_and_the_values_say_the_same(report: doctor.CheckReport) -> None:
    text = report.render()
    for line in (
        "train: 8 pairs",
        "  duplicates: 2",
        "  bad lines: 1",
        "    wrong number of columns: 1",
        "leakage into dev: 2 of 3 sources also in train, 1 with the same target",
        "warning: dev has 1 bad lines",
    ):
        assert line in text
    values = json.loads(json.dumps(report.to_dict()))
    assert values["parts"]["train"]["findings"]["duplicates"] == 2
    assert values["leakage"]["dev"] == {"pairs": 1, "sources": 2, "total": 3}
    assert values["warnings"] == list(report.warnings)


def test_healthy_data_gets_no_warning(tmp_path: Path) -> None:
    report = examine(data_config(train=write(tmp_path / "a.tsv", ["a\tb", "c\td"])))
    assert report.warnings == ()
    assert report.render().endswith("nothing to warn of\n")


def test_tags_are_counted_as_symbols_not_as_characters(tmp_path: Path) -> None:
    lines = ["cat\tcats\tN;PL", "a b\tc\tN"]
    config = data_config(
        train=write(tmp_path / "a.tsv", lines), source=[0, {"tags": 2, "separator": ";"}]
    )
    source = examine(config).splits["train"].source
    assert source.tags == (("⟪N⟫", 2), ("⟪PL⟫", 1))
    assert source.characters.counts == {5: 1, 4: 1}
    assert source.words.counts == {3: 2}
    assert dict(source.character_vocabulary.most_frequent) == {
        "a": 2, "c": 1, "t": 1, " ": 1, "b": 1
    }  # fmt: skip


def test_an_unusable_part_is_said_and_the_rest_examined(tmp_path: Path) -> None:
    train = write(tmp_path / "a.tsv", ["a\tb"])
    report = examine(data_config(train=train, dev=str(tmp_path / "gone.tsv")))
    assert report.splits["train"].pairs == 1
    assert report.splits["dev"].pairs == 0
    assert "gone.tsv" in str(report.splits["dev"].error)
    assert report.leakage == {"dev": Leakage(0, 0, 0)}
    assert report.warnings[0].startswith("dev cannot be used: ")
    assert "cannot be used" in report.render()
    assert report.splits["dev"].problems["reasons"] == {"missing file": 1}


def test_nothing_to_examine_is_an_error() -> None:
    with pytest.raises(ConfigError, match=r"data\.parts\.kor\.train must be given to be checked"):
        examine(DataConfig(parts={"kor": PartConfig()}))
    with pytest.raises(ConfigError, match=r"data\.train must be given to be checked; got none"):
        examine(data_config())


def test_many_distinct_words_stay_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "_MOST_WORDS", 3)
    lines = [f"w{n} often\tt" for n in range(5)]
    words = examine(data_config(train=write(tmp_path / "a.tsv", lines))).splits["train"].source
    assert words.word_vocabulary.most_frequent == (("often", 5),)
    assert not words.word_vocabulary.complete
    assert words.word_vocabulary.render().startswith("at least 1 distinct")


def test_a_histogram_counts_every_text() -> None:
    lengths = Lengths({1: 2, 2: 10, 40: 3, 1000: 1})
    lines = lengths.histogram()
    assert sum(int(line.split()[-1]) for line in lines) == 16
    assert lines[0].split()[0].startswith("1-")
    assert "-1000" in lines[-1]
    assert (lengths.mean, lengths.quantile(0.5), lengths.longest) == (71.375, 2, 1000)
    assert Lengths({5: 7}).histogram() == [f"{'5':>13} {'█' * 40} 7"]
    assert Lengths({}).histogram() == []


# ---------------------------------------------------------------- against brute force

texts = st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("xyz")), max_size=20)


@settings(max_examples=100)
@given(train=texts, dev=texts)
def test_leakage_is_what_brute_force_finds(
    train: list[tuple[str, str]], dev: list[tuple[str, str]]
) -> None:
    expected = Leakage(
        pairs=sum(pair in train for pair in dev),
        sources=sum(any(pair[0] == other[0] for other in train) for pair in dev),
        total=len(dev),
    )
    together, apart = LeakageCounter(as_pairs(dev)), LeakageCounter(as_pairs(dev))
    together.add(iter(as_pairs(train)))
    assert together.leakage() == expected
    for pair in as_pairs(train):
        apart.add([pair])
    assert apart.leakage() == expected
    assert bool(expected) == (expected.sources > 0)


@settings(max_examples=100)
@given(pairs=texts)
def test_repeats_and_several_targets_are_what_brute_force_finds(
    pairs: list[tuple[str, str]],
) -> None:
    fingerprints = Fingerprints()
    for pair in as_pairs(pairs):
        fingerprints.add(pair)
    assert fingerprints.repeats().tolist() == [
        n for n, pair in enumerate(pairs) if pair in pairs[:n]
    ]
    targets: dict[str, list[str]] = defaultdict(list)
    second = []
    for number, (source, target) in enumerate(pairs):
        if target not in targets[source]:
            targets[source].append(target)
            if len(targets[source]) == 2:
                second.append(number)
    count, indices = fingerprints.ambiguous()
    assert (count, indices.tolist()) == (len(second), second)
