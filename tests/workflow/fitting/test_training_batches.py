"""Options of what epochs change: refused where they make no sense, and seen by training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from small_runs import tiny, train_tiny, words, write_lines, write_reversals
from transduce.config.recipe import require_agreement
from transduce.errors import ConfigError
from transduce.interfaces import END, UNKNOWN
from transduce.workflow.corpora.corpora import open_corpora
from transduce.workflow.evaluate import pair_batches

BPE = {"source": {"kind": "bpe", "vocabulary_size": 290}}


def weights(folder: Path, tokenizer: dict[str, Any], **training: Any) -> bytes:
    data = write_reversals(folder / "pairs.tsv", words(1, 40))
    known = {"train": data, "dev": data}
    output = folder / "run"
    train_tiny(tiny(known, tokenizer={**tokenizer, "shared": True}, training=training), output)
    return (output / "model.safetensors").read_bytes()


def test_each_option_changes_what_is_learnt(tmp_path: Path) -> None:
    options: list[dict[str, Any]] = [
        {},
        {"source_subword_sampling": 0.3},
        {"target_subword_sampling": 0.3},
        {"source_word_dropout": 0.3},
        {"switchout_temperature": 2.0},
        {"denoising": "infilling"},
        {"denoising": "infilling", "denoising_share": 0.6},
        {"denoising": "infilling", "denoising_share": 0.6, "denoising_span": 1.0},
        {"denoising": "spans"},
    ]
    found = []
    for number, option in enumerate(options):
        folder = tmp_path / str(number)
        folder.mkdir()
        found.append(weights(folder, BPE, **option))
    assert len(set(found)) == len(options)


def test_pieces_are_asked_for(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError,
        match=r"training\.source_subword_sampling must be 0 or tokenizer .* bpe or unigram .*; got",
    ):
        weights(tmp_path, {}, source_subword_sampling=0.1)


def test_hidden_spans_are_those_of_the_source(tmp_path: Path) -> None:
    data = write_lines(tmp_path / "pairs.tsv", ["abcd\tuvwx", "bcda\tvwxu"] * 4)
    config = tiny({"train": data, "dev": data}, training={"denoising": "spans"})
    with pytest.raises(
        ConfigError,
        match=r"tokenizer\.shared must be true where training\.denoising is spans.*; got other sym",
    ):
        train_tiny(config, tmp_path / "run")


def test_losses_are_those_of_what_is_hidden(tmp_path: Path) -> None:
    file = write_lines(tmp_path / "words.txt", words(1, 30))
    data = {"train": file, "dev": file, "format": "tsv", "source": 0, "target": 0}
    config = tiny(data, tokenizer={"shared": True}, training={"denoising": "infilling"})
    trained, _ = train_tiny(config, tmp_path / "run")
    examples = open_corpora(config).dev
    held = [list(pair_batches(trained, examples, None)) for _ in range(2)]
    shown = [[batch.source.tokens.tolist() for batch in batches] for batches in held]
    assert shown[0] == shown[1]
    longer = [row for rows in shown[0] for row in rows if row.index(END) > 1]
    assert longer
    assert all(UNKNOWN in row for row in longer)
    targets = [row for batch in held[0] for row in batch.target.tolist()]
    assert not any(UNKNOWN in row for row in targets)


@pytest.mark.parametrize(
    ("training", "data", "wanted"),
    [
        (
            {"target_subword_sampling": 0.1, "teacher": ["x"]},
            {},
            r"target_subword_sampling must be 0 with training\.teacher.*; got 0\.1",
        ),
        ({"source_subword_sampling": 0.1}, {"kind": "audio"}, r"must be 0 where .* is audio"),
        ({"source_word_dropout": 0.1}, {"kind": "audio"}, r"must be 0 where .* is audio"),
        ({"switchout_temperature": 1}, {"kind": "audio"}, r"must be none where .* is audio"),
        ({"denoising": "infilling"}, {"kind": "audio"}, r"must be none or frames where"),
        (
            {"denoising_share": 0.2},
            {},
            r"denoising_share must be left out without train",
        ),
        ({"denoising_span": 2.0}, {}, r"denoising_span must be left out without train"),
        (
            {"denoising": "spans", "teacher": ["x"]},
            {},
            r"training\.denoising must be none or infilling with training\.teacher.*; got spans",
        ),
    ],
)
def test_options_without_sense_are_refused(
    training: dict[str, Any], data: dict[str, Any], wanted: str
) -> None:
    model = {"frontend": {"kind": "linear"}} if data else {}
    given = {"input": data} if data else {}
    with pytest.raises(ConfigError, match=wanted):
        require_agreement(tiny(given, training=training, model=model))
