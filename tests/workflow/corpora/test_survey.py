"""One pass before encoding: what it learns and counts, and which fault it tells first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from small_runs import tiny, train_tiny, words, write_lines, write_reversals
from transduce.checks.leakage import Leakage
from transduce.errors import ConfigError, DataError
from transduce.reading.pair_files import Pair
from transduce.workflow.corpora.corpora import Corpora, corpora_from_lists, open_corpora
from transduce.workflow.corpora.survey import survey
from transduce.workflow.fitting.fit import fit

KINDS = ("character", "whitespace", "word", "bpe", "unigram", "byte")


def counting(corpora: Corpora) -> tuple[Corpora, list[None]]:
    """The corpora, and a list that grows by one with each pass over the training pairs."""
    passes: list[None] = []

    def train() -> Iterator[Pair]:
        passes.append(None)
        return corpora.train()

    return replace(corpora, train=train), passes


def both(**options: Any) -> dict[str, Any]:
    return {"source": options, "target": options}


@pytest.mark.parametrize("tags", [False, True])
@pytest.mark.parametrize("shared", [False, True])
def test_a_run_reads_its_pairs_twice(tmp_path: Path, tags: bool, shared: bool) -> None:
    lines = [f"{word}\t{word[::-1]}\tN;{word[0]}" for word in words(1, 30)]
    data: dict[str, Any] = {"train": write_lines(tmp_path / "train.tsv", lines)}
    if tags:
        data["source"] = [0, {"tags": 2, "separator": ";"}]
    config = tiny({**data, "dev_fraction": 0.3}, tokenizer={"shared": shared})
    corpora, passes = counting(open_corpora(config))
    fit(config, corpora, tmp_path / "run")
    assert len(passes) == 2
    resumed = tiny({**data, "dev_fraction": 0.3}, steps=3, tokenizer={"shared": shared})
    fit(resumed, corpora, tmp_path / "run", resume=True)
    assert len(passes) == 4


@pytest.mark.parametrize("kind", KINDS)
def test_bad_lines_are_counted_whatever_the_tokenizer(tmp_path: Path, kind: str) -> None:
    lines = ["a b\tb a", "alone", "c\td", "\tx", "e\tf", "a\tb"] * 3
    train = write_lines(tmp_path / "train.tsv", lines)
    dev = write_lines(tmp_path / "dev.tsv", ["c\td", "a\tx", "z\tz"])
    size = 330 if kind in ("bpe", "unigram") else None
    config = tiny(
        {"train": train, "dev": dev, "on_error": "skip"},
        tokenizer=both(kind=kind, vocabulary_size=size),
    )
    corpora = open_corpora(config)
    tokenizers, seen = survey(config, corpora)
    leakage = seen.leakage
    assert corpora.problems.counts == {"wrong number of columns": 3, "empty source": 3}
    assert leakage == Leakage(pairs=1, sources=2, total=3)
    again, told = survey(config, corpora, tokenizers)
    same = told.leakage
    assert again is tokenizers
    assert same == leakage


def test_each_side_learns_its_own_or_both_the_same() -> None:
    corpora = corpora_from_lists([("ab", "xy"), ("ba", "yx")], [("a", "b")], 0)

    def symbols(shared: bool) -> list[list[str]]:
        tokenizers, _ = survey(tiny({}, tokenizer={"shared": shared}), corpora)
        return [tokenizer.symbols(range(4, tokenizer.size)) for tokenizer in tokenizers]

    assert symbols(False) == [["a", "b"], ["x", "y"]]
    assert symbols(True) == [["a", "b", "x", "y"]] * 2


def test_brackets_are_text_where_no_source_has_a_tag(tmp_path: Path) -> None:
    train = write_lines(tmp_path / "train.tsv", ["a\t⟪b⟫\t", "b\ta\t"])
    data = {"train": train, "dev": train, "source": [0, {"tags": 2}], "target": 1}
    config = tiny(data, tokenizer={"shared": True})
    (source, target), _ = survey(config, open_corpora(config))
    assert source is target
    assert not target.tags
    assert target.decode(target.encode("⟪b⟫")) == "⟪b⟫"


# ---------------------------------------------------------------- which fault is told first


def test_a_bad_line_comes_before_too_small_a_target_vocabulary(tmp_path: Path) -> None:
    train = write_lines(tmp_path / "train.tsv", ["a\tb", "c\td", "alone"])
    dev = write_reversals(tmp_path / "dev.tsv", words(1, 3))
    small = {"kind": "word", "vocabulary_size": 4}
    data = {"train": train, "dev": dev}
    config = tiny(data, tokenizer={"target": small})
    with pytest.raises(DataError, match=r"train\.tsv, line 3"):
        survey(config, open_corpora(config))
    config = tiny(data, tokenizer={"source": small})
    with pytest.raises(ConfigError, match="at least 5 for the kind word; got 4"):
        survey(config, open_corpora(config))


def test_faults_of_sources_come_before_those_of_targets() -> None:
    pairs = [("a", "b\ud800"), ("c\ud800", "d")]
    corpora = corpora_from_lists(pairs, [("a", "b")], 0)
    for options in ({"kind": "word"}, {"kind": "word", "lowercase": True}):
        with pytest.raises(DataError, match=r"lone surrogate in 'c\\ud800'"):
            survey(tiny({}, tokenizer=both(**options)), corpora)


def test_nothing_left_to_learn_from() -> None:
    corpora = corpora_from_lists([], [("a", "b")], 0)
    with pytest.raises(DataError, match="must be trained on at least one text; got none"):
        survey(tiny({}), corpora)


def test_bytes_count_what_is_skipped_in_a_whole_run(tmp_path: Path) -> None:
    train = write_lines(tmp_path / "train.tsv", ["a\tb", "alone", "c\td", "alone"])
    dev = write_reversals(tmp_path / "dev.tsv", words(1, 3))
    data = {"train": train, "dev": dev, "on_error": "skip"}
    _, said = train_tiny(tiny(data, tokenizer=both(kind="byte")), tmp_path / "run")
    assert said[1].startswith("skipped for errors in training data: 2 (")
