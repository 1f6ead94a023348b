"""What fits a recipe badly is said before training."""

from __future__ import annotations

import itertools
import logging
from pathlib import Path
from typing import Any

import pytest

from small_runs import tiny, words, write_lines, write_reversals
from transduce.reading.pair_files import Example
from transduce.workflow.corpora.corpora import open_corpora
from transduce.workflow.evaluate import DevScorer
from transduce.workflow.fitting.fit import fit
from transduce.workflow.trained import TrainedModel


def said(
    folder: Path, train: list[str], dev: list[str], **sections: dict[str, Any]
) -> tuple[TrainedModel, str]:
    """What training says of the data; one step is trained."""
    data = {
        "train": write_lines(folder / "train.tsv", train),
        "dev": write_lines(folder / "dev.tsv", dev),
    }
    config = tiny(data, steps=1, **sections)
    lines: list[str] = []
    trained = fit(config, open_corpora(config), folder / "run", say=lines.append)
    return trained, "\n".join(lines)


MANY = ["".join(letters) for letters in itertools.product("abcdefghijk", repeat=3)]
DEV = [f"{word}\t{word[::-1]}" for word in words(9, 12)]
TRAIN = [f"{word}\t{word[::-1]}" for word in words(1, 40)]


def test_thousands_of_targets_of_one_symbol(tmp_path: Path) -> None:
    train = [f"{word}\t{word[::-1]}" for word in MANY]
    _, lines = said(tmp_path, train, DEV, tokenizer={"target": {"kind": "whitespace"}})
    assert "1,331 different targets are one symbol each" in lines
    assert "tokenizer.target.kind=character" in lines
    assert "different sources are one symbol" not in lines


def test_symbols_that_training_never_shows(tmp_path: Path) -> None:
    _, lines = said(tmp_path, TRAIN, [*DEV, "aß\ta", "ab\tüœ", "c\tü"])
    assert "2 of 15 dev targets cannot be written right: 2 of their symbols" in lines
    assert "(ü œ)" in lines
    assert "1 of 14 dev sources are read with <unk>: 1 of their symbols" in lines


def test_a_header_taken_for_a_pair(tmp_path: Path) -> None:
    _, lines = said(tmp_path, ["source\ttarget", *TRAIN], DEV)
    assert "looks like the names of columns (source, target): data.header=true" in lines


def test_a_dev_set_of_one(tmp_path: Path) -> None:
    _, lines = said(tmp_path, TRAIN, DEV[:1])
    assert "warning: dev has 1 source: the model is chosen by its scores on them" in lines


def test_nothing_is_said_of_what_fits(tmp_path: Path) -> None:
    _, lines = said(tmp_path, [f"{a}\t{a[::-1]}" for a in "dcba"] + TRAIN, DEV)
    assert "warning: dev has" not in lines
    assert "symbol" not in lines
    assert "columns" not in lines


def test_outputs_that_are_all_the_same(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    trained, _ = said(tmp_path, TRAIN, DEV)
    for name, weights in trained.model.named_parameters():
        if "output" in name:
            weights.data.zero_()  # every symbol is as likely as the next, whatever is read
    scorer = DevScorer(trained, [Example(word, (word,)) for word in words(3, 8)])
    with caplog.at_level(logging.WARNING, "transduce"):
        for _ in range(2):
            scorer(trained.model)
        assert "outputs are the same" not in caplog.text
        for _ in range(3):
            scorer(trained.model)
    assert caplog.text.count("all 8 dev outputs are the same after 3 scorings") == 1


def test_the_test_fraction_is_kept_from_training(tmp_path: Path) -> None:
    train = write_reversals(tmp_path / "all.tsv", words(1, 200))
    config = tiny({"train": train, "dev_fraction": 0.2, "test_fraction": 0.3})
    corpora = open_corpora(config)
    assert 20 < len(corpora.dev) < 60
    seen = {pair.source for pair in corpora.train()}
    assert 70 < len(seen) < 130
    assert not seen & {example.source for example in corpora.dev}
    with_test = tiny({"train": train, "test": train, "dev_fraction": 0.2, "test_fraction": 0.3})
    assert len(list(open_corpora(with_test).train())) == 200 - len(corpora.dev)
