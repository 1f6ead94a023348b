"""Tokenizers whose symbols are known beforehand, in the order of their numbers."""

from __future__ import annotations

from collections.abc import Sequence

from tokenizers import models

from transduce.config import TokenizerConfig
from transduce.tokenization.pipelines import SPECIALS, escape_special, make_pipeline
from transduce.tokenization.tokenizer import Tokenizer

__all__ = ["listed_tokenizer"]


def listed_tokenizer(symbols: Sequence[str], config: TokenizerConfig) -> Tokenizer:
    """A tokenizer of the kind ``character`` or ``whitespace``; its symbols get 4, 5, …

    The symbols are all different.
    """
    if config.kind == "whitespace":
        symbols = [escape_special(symbol) for symbol in symbols]
    numbers = {symbol: number for number, symbol in enumerate((*SPECIALS, *symbols))}
    model = models.WordLevel(numbers, unk_token=SPECIALS[1])
    return Tokenizer(make_pipeline(model, config), config)
