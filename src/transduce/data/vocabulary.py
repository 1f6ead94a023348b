"""Learning a vocabulary from texts, the same one from the same texts every time."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import chain

from tokenizers import models, trainers

from transduce.config import TokenizerConfig
from transduce.data.pipelines import (
    BYTES,
    SPECIALS,
    escape_special,
    make_pipeline,
    make_pre_tokenizer,
)
from transduce.data.unigram import train_unigram
from transduce.errors import ConfigError, DataError

__all__ = ["learn_model"]

DEFAULT_PIECES = 8000  # entries of a bpe or unigram vocabulary where the recipe says nothing
SAMPLE = 500_000  # texts that bpe and unigram learn from at most, so that memory stays flat
COVERAGE = 0.9999  # share of all characters that bpe and unigram hold; bytes spell the rest
SEED_FACTOR = 4  # unigram starts from so many times the pieces it shall end with


def learn_model(texts: Iterable[str], config: TokenizerConfig) -> models.Model:
    """Learn the model of a tokenizer from texts that are in normal form.

    ``character``, ``whitespace`` and ``word`` count all texts; ``bpe`` and
    ``unigram`` learn from at most 500,000, drawn evenly with a fixed seed.
    Equal counts are ordered by code point. Raises ConfigError where
    ``vocabulary_size`` is too small for the kind, DataError where a text is
    not valid Unicode.
    """
    size = _size(config)
    if config.kind == "byte":
        return _byte_pairs(_numbered(SPECIALS + BYTES), [])
    if config.kind == "character":
        return _word_level(Counter(chain.from_iterable(texts)), config)
    if config.kind == "whitespace":
        counts = Counter(chain.from_iterable(map(str.split, texts)))
        return _word_level(Counter({escape_special(s): n for s, n in counts.items()}), config)
    if config.kind == "word":
        return _word_level(_count_pieces(texts, config), config)
    sample = _sample(texts)
    alphabet = _alphabet(sample, (size - len(SPECIALS + BYTES) + 1) // 2)
    if config.kind == "bpe":
        return _byte_pairs(*_learn_merges(sample, alphabet, size, config))
    known = len(SPECIALS + BYTES)
    seeds, _ = _learn_merges(sample, alphabet, known + SEED_FACTOR * (size - known), config)
    pieces = train_unigram(
        _count_pieces(sample, config), [p for p in seeds if seeds[p] >= known], size - known
    )
    fixed = [(symbol, 0.0) for symbol in SPECIALS + BYTES]
    return models.Unigram(fixed + pieces, unk_id=1, byte_fallback=True)


def _size(config: TokenizerConfig) -> int:
    """The size to aim at; 0 for no limit."""
    if config.kind in ("bpe", "unigram"):
        needed = len(SPECIALS + BYTES) + 1
        size = config.vocabulary_size or DEFAULT_PIECES
    else:
        needed, size = len(SPECIALS) + 1, config.vocabulary_size or 0
    if size and size < needed and config.kind != "byte":
        raise ConfigError(
            f"vocabulary_size must be at least {needed} for the kind {config.kind}; got {size}"
        )
    return size


def _word_level(counts: Counter[str], config: TokenizerConfig) -> models.Model:
    kept = sorted(
        (symbol for symbol, count in counts.items() if count >= config.minimum_count),
        key=lambda symbol: (-counts[symbol], symbol),
    )
    if config.vocabulary_size:
        kept = kept[: config.vocabulary_size - len(SPECIALS)]
    _require_unicode(kept)
    return models.WordLevel(_numbered((*SPECIALS, *kept)), unk_token=SPECIALS[1])


def _byte_pairs(vocabulary: dict[str, int], merges: list[tuple[str, str]]) -> models.Model:
    return models.BPE(vocabulary, merges, unk_token=SPECIALS[1], byte_fallback=True)


def _learn_merges(
    sample: Sequence[str], alphabet: list[str], size: int, config: TokenizerConfig
) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Byte-pair encoding (Sennrich et al. 2016) over characters, bytes for unknown ones."""
    # The library cuts a limited alphabet in random order where counts are equal;
    # an alphabet that is given whole takes that choice away.
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        min_frequency=2,
        show_progress=False,
        special_tokens=list(SPECIALS + BYTES),
        initial_alphabet=alphabet,
        limit_alphabet=len(alphabet),
    )
    learner = make_pipeline(models.BPE(), config)
    learner.train_from_iterator(sample, trainer)
    state = json.loads(learner.to_str())["model"]
    return state["vocab"], [(left, right) for left, right in state["merges"]]


def _count_pieces(texts: Iterable[str], config: TokenizerConfig) -> Counter[str]:
    """How often each piece that the kind cuts a text into occurs."""
    cutter = make_pre_tokenizer(config.kind)
    if cutter is None:
        raise ValueError(f"kind must cut its texts; got {config.kind}")
    counts: Counter[str] = Counter()
    for text in filter(None, texts):
        try:
            counts.update([piece for piece, _ in cutter.pre_tokenize_str(f" {text}")])
        except UnicodeEncodeError:
            _require_unicode([text])
    return counts


def _alphabet(sample: Sequence[str], limit: int) -> list[str]:
    counts = Counter(chain.from_iterable(sample))
    _require_unicode(counts)
    counts[" "] += len(sample)
    total, seen = sum(counts.values()), 0
    kept: list[str] = []
    for character in sorted(counts, key=lambda c: (-counts[c], c)):
        if len(kept) >= limit or seen >= COVERAGE * total:
            break
        kept.append(character)
        seen += counts[character]
    return sorted(kept)


def _sample(texts: Iterable[str]) -> list[str]:
    """At most SAMPLE texts, each as likely as any other (Vitter 1985, algorithm R)."""
    chance = random.Random(0)
    kept: list[str] = []
    for number, text in enumerate(texts):
        if number < SAMPLE:
            kept.append(text)
        elif (place := chance.randrange(number + 1)) < SAMPLE:
            kept[place] = text
    return kept


def _numbered(symbols: Iterable[str]) -> dict[str, int]:
    return {symbol: number for number, symbol in enumerate(symbols)}


def _require_unicode(symbols: Iterable[str]) -> None:
    for symbol in symbols:
        try:
            symbol.encode()
        except UnicodeEncodeError:
            raise DataError(
                f"text must be valid Unicode; got a lone surrogate in {symbol!r}"
            ) from None
