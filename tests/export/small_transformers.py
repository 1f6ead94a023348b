"""Untrained Transformers of every shape for the tests of this room."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from transduce.config import Config
from transduce.data.tokenizer import Tokenizer
from transduce.interfaces import END
from transduce.models.seq2seq import Seq2Seq
from transduce.pipeline.trained import TrainedModel

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


def saved(config: Config, folder: Path) -> Path:
    untrained(config).save(folder)
    return folder
