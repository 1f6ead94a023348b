"""Options of what epochs change: refused where they make no sense, and seen by training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from small_runs import tiny, train_tiny, words, write_reversals
from transduce.config.recipe import require_agreement
from transduce.errors import ConfigError

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
    ],
)
def test_options_without_sense_are_refused(
    training: dict[str, Any], data: dict[str, Any], wanted: str
) -> None:
    model = {"frontend": {"kind": "linear"}} if data else {}
    given = {"input": data} if data else {}
    with pytest.raises(ConfigError, match=wanted):
        require_agreement(tiny(given, training=training, model=model))
