"""Untrained Transformers of every shape for the tests of this room."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from transduce import cli
from transduce.config import Config
from transduce.interfaces import BEGIN, END, PADDING, UNKNOWN
from transduce.models.seq2seq import Seq2Seq
from transduce.tokenization.tokenizer import Tokenizer
from transduce.workflow.corpora.corpora import open_corpora
from transduce.workflow.corpora.survey import survey
from transduce.workflow.trained import TrainedModel

TEXTS = ["ab cd", "d ab c, ab", "cd!", "b abc d", "ab ab cd c", "dd ⟪PL⟫a"]


def transformer(encoder: dict[str, Any], decoder: dict[str, Any], **model: Any) -> Config:
    """A recipe; what is not said is a small pre-norm Transformer."""
    base = {"kind": "transformer", "layers": 2, "width": 16, "feedforward": 24, "heads": 4}
    return Config.from_mapping(
        {
            "model": {"encoder": {**base, **encoder}, "decoder": {**base, **decoder}, **model},
            "search": {"max_length": 8},
        }
    )


def shake(model: Seq2Seq) -> Seq2Seq:
    """Move what starts as zeros and ones, so that a forgotten bias or norm is seen."""
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 1:
                parameter.add_(0.3 * torch.randn_like(parameter))
    return model.eval()


def untrained(config: Config, tags: tuple[str, ...] = ()) -> TrainedModel:
    """A model between tokenizers that know ``TEXTS``; it writes no bytes."""
    source = Tokenizer.train(TEXTS, config.tokenizer.source, tags)
    target = Tokenizer.train(TEXTS, config.target_tokenizer)
    trained = TrainedModel.fresh(config, source, target)
    shake(trained.model)
    if config.target_kind in ("bpe", "unigram", "byte"):
        with torch.no_grad():
            trained.model.output.bias[END + 1 : END + 257] = -1e4
    return trained


def mixture(home: Path, **sections: dict[str, Any]) -> Config:
    """A recipe of two parts that read the same words, the second from other columns."""
    words = ["ab", "cd", "abc", "dcb", "bad", "cab", "dab", "ac"]
    (home / "copy.tsv").write_text("".join(f"{word}\t{word}\n" for word in words))
    (home / "turn.tsv").write_text("".join(f"0\t{w[::-1]}\t{w}\n" for w in words))
    (home / "dev.tsv").write_text("".join(f"0\t{w[::-1]}\t{w}\n" for w in ("bcd", "da", "cc")))
    parts: dict[str, Any] = {
        "copy": {"train": str(home / "copy.tsv")},
        "turn": {
            "train": str(home / "turn.tsv"),
            "dev": str(home / "dev.tsv"),
            "source": 2,
            "tag": "back",
        },
    }
    values = transformer({}, {}).model_dump(mode="json", by_alias=True)
    values["data"]["parts"] = parts
    return Config.from_mapping(values).updated(
        {f"{name}.{key}": v for name, section in sections.items() for key, v in section.items()}
    )


def untrained_mixture(config: Config) -> TrainedModel:
    """A model between the tokenizers that its training would have learnt.

    Its weights are large, so that outputs depend on sources and tags; what no trained model
    writes, special symbols and tags, is below all else.
    """
    tokenizers, _ = survey(config, open_corpora(config))
    trained = TrainedModel.fresh(config, *tokenizers)
    shake(trained.model)
    with torch.no_grad():
        for parameter in trained.model.parameters():
            parameter.mul_(3 if parameter.dim() == 2 else 1)
        tags = range(trained.target_tokenizer.first_tag, trained.target_tokenizer.size)
        trained.model.output.bias[[PADDING, UNKNOWN, BEGIN, *tags]] = -1e4
    return trained


def saved(config: Config, folder: Path) -> Path:
    untrained(config).save(folder)
    return folder


def call(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    """Run ``transduce export`` in this process; the exit status."""
    monkeypatch.setattr(sys, "argv", ["transduce", "export", *map(str, arguments)])
    try:
        cli.main()
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0
