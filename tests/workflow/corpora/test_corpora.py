"""The pairs of a recipe: the share held out, what is counted, what names the data."""

from __future__ import annotations

from pathlib import Path

import pytest

from small_runs import tiny, words, write_lines, write_reversals
from transduce.errors import ConfigError, DataError
from transduce.reading.pair_files import Example
from transduce.workflow.corpora.corpora import corpora_from_lists, file_list, open_corpora, read_dev


def test_no_source_is_on_both_sides(tmp_path: Path) -> None:
    texts = words(1, 300)
    lines = [f"{text}\t{text[::-1]}" for text in texts] + [f"{text}\tx" for text in texts]
    config = tiny({"train": write_lines(tmp_path / "all.tsv", lines), "dev_fraction": 0.2})
    corpora = open_corpora(config)
    train = {pair.source for pair in corpora.train()}
    dev = {example.source for example in corpora.dev}
    assert not train & dev
    assert train | dev == set(texts)
    assert 30 < len(dev) < 90  # 60 expected, standard deviation 7
    assert all(len(example.references) == 2 for example in corpora.dev)


def test_the_split_is_the_same_from_files_and_from_memory(tmp_path: Path) -> None:
    texts = words(1, 200)
    path = write_reversals(tmp_path / "all.tsv", texts)
    from_file = open_corpora(tiny({"train": path, "dev_fraction": 0.1}))
    # whatever the order of the pairs
    pairs = [(text, text[::-1]) for text in reversed(texts)]
    from_memory = corpora_from_lists(pairs, None, 0.1)
    held_out = {example.source for example in from_file.dev}
    assert held_out
    assert held_out == {example.source for example in from_memory.dev}
    assert {p.source for p in from_file.train()} == {p.source for p in from_memory.train()}


def test_train_gives_all_pairs_each_time(tmp_path: Path) -> None:
    config = tiny({"train": write_reversals(tmp_path / "t.tsv", words(1, 50))})
    corpora = open_corpora(config)
    assert list(corpora.train()) == list(corpora.train())


def test_several_targets_of_a_dev_source_are_one_example(tmp_path: Path) -> None:
    train = write_reversals(tmp_path / "train.tsv", words(1, 5))
    dev = write_lines(tmp_path / "dev.tsv", ["a\tx", "b\ty", "a\tz", "a\tx"])
    corpora = open_corpora(tiny({"train": train, "dev": dev}))
    assert corpora.dev == [Example("a", ("x", "z")), Example("b", ("y",))]


def test_dev_is_read_alone(tmp_path: Path) -> None:
    train = write_reversals(tmp_path / "train.tsv", words(1, 40))
    held_out = tiny({"train": train, "dev_fraction": 0.3})
    assert read_dev(held_out) == open_corpora(held_out).dev_by_part() != {}
    dev = write_lines(tmp_path / "dev.tsv", ["a\tx", "b\ty", "a\tz"])
    parts = {"ice": {"train": str(train), "dev": str(dev)}, "ita": {"train": str(train)}}
    mixture = tiny({"parts": parts, "test_fraction": 0.1})
    found = open_corpora(mixture).dev_by_part()
    own = {"ice": {**parts["ice"], "train": str(tmp_path / "moved.tsv")}}
    assert read_dev(tiny({"parts": own, "test_fraction": 0.1})) == {"ice": found["ice"]}


def test_bad_lines_are_counted_once_and_apart(tmp_path: Path) -> None:
    train = write_lines(tmp_path / "train.tsv", ["a\tb", "alone", "\tx", "c\td"])
    dev = write_lines(tmp_path / "dev.tsv", ["e\tf", "alone"])
    corpora = open_corpora(tiny({"train": train, "dev": dev, "on_error": "skip"}))
    assert [len(list(corpora.train())) for _ in range(3)] == [2, 2, 2]
    assert corpora.problems.report()["skipped"] == 2
    assert corpora.dev_problems.report()["skipped"] == 1


def test_the_fingerprint_is_that_of_the_content(tmp_path: Path) -> None:
    def fingerprint(name: str, texts: list[str]) -> str:
        folder = tmp_path / name
        folder.mkdir()
        path = write_reversals(folder / "t.tsv", texts)
        return open_corpora(tiny({"train": path})).fingerprint

    assert fingerprint("here", words(1, 9)) == fingerprint("there", words(1, 9))
    assert fingerprint("one", words(1, 9)) != fingerprint("other", words(2, 9))


def test_parallel_files_are_listed_one_by_one(tmp_path: Path) -> None:
    data = tiny({"train": [{"source": "a", "target": "b"}, "c.tsv"]}).data
    assert data.train is not None
    assert file_list(data.train) == [Path("a"), Path("b"), Path("c.tsv")]


def test_errors_name_the_file_or_the_key(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"data\.train must name a file with pairs; got none"):
        open_corpora(tiny({}))
    with pytest.raises(DataError, match=r"none\.tsv: file must be readable; got No such file"):
        open_corpora(tiny({"train": tmp_path / "none.tsv"}))
    with pytest.raises(DataError, match="dev pairs, line 1: source and target must not be empty"):
        corpora_from_lists([("a", "b")], [("", "x")], 0.1)
