"""Models that have learned nothing and sources of nothing: for speed alone."""

from __future__ import annotations

import random

import torch

from transduce.config import ModelConfig
from transduce.interfaces import BEGIN, END, PADDING, UNKNOWN
from transduce.models.build import build_model
from transduce.models.seq2seq import Seq2Seq

__all__ = ["random_model", "random_sources"]

_NEVER = -1e4  # as a logit


def random_model(config: ModelConfig, size: int) -> Seq2Seq:
    """Both vocabularies of ``size``; END and the other special symbols are out of reach in the
    weights themselves, so that it writes as much as it may, and all systems normalise over the
    same symbols when they forbid them.
    """
    torch.manual_seed(1)
    model = build_model(config, size, size).eval()
    with torch.no_grad():
        model.output.bias[[PADDING, UNKNOWN, BEGIN, END]] = _NEVER
    return model


def random_sources(count: int, size: int, *, times: int = 1) -> list[list[int]]:
    """``count`` sources of 10 to 29 random tokens, times ``times``."""
    chance = random.Random(1)
    lengths = [times * chance.randint(10, 29) for _ in range(count)]
    return [chance.choices(range(END + 1, size), k=length) for length in lengths]
