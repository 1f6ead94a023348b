"""Learning a vocabulary from texts, the same one from the same texts every time."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING

from tokenizers import models, trainers

from transduce.errors import ConfigError, DataError
from transduce.tokenization.pipelines import (
    BYTES,
    SPECIALS,
    escape_special,
    make_normalizer,
    make_pipeline,
    make_pre_tokenizer,
)
from transduce.tokenization.tags import cut_at_tags
from transduce.tokenization.texts import normalize
from transduce.tokenization.unigram import train_unigram

if TYPE_CHECKING:  # whose library takes its time to load
    from transduce.config import TokenizerConfig

__all__ = ["VocabularyLearner", "check_size"]

DEFAULT_PIECES = 8000  # entries of a bpe or unigram vocabulary where the recipe says nothing
SAMPLE = 500_000  # texts that bpe and unigram learn from at most, so that memory stays flat
COVERAGE = 0.9999  # share of all characters that bpe and unigram hold; bytes spell the rest
SEED_FACTOR = 4  # unigram starts from so many times the pieces it shall end with
CHUNKS = 1 << 18  # different chunks of texts, or characters of texts, that wait to be cut
CHARACTERS = 1 << 26


class VocabularyLearner:
    """Learns the model of a tokenizer from texts that come in portions.

    ``character``, ``whitespace`` and ``word`` count all texts; ``bpe`` and
    ``unigram`` learn from at most 500,000, drawn evenly with a fixed seed.
    Equal counts are ordered by code point. With ``cut_tags`` tags do not count
    as text.
    """

    def __init__(self, config: TokenizerConfig, *, cut_tags: bool = False) -> None:
        """Nothing is looked at before :meth:`model` is asked for, ``config`` included."""
        self.config = config
        self._cut_tags = cut_tags
        self._normalizer = make_normalizer(config)
        self._fault: DataError | None = None
        self._counts: Counter[str] = Counter()
        self._words = _WordCounts()
        self._sample = _Sample()

    def add(self, texts: Sequence[str]) -> None:
        """Take in a portion of texts. What is wrong with one is said by :meth:`model`.

        So two sides that are learnt from side by side complain one after the other.
        """
        if self._fault is not None:
            return
        try:
            self._learn(texts)
        except DataError as fault:
            self._fault = fault

    def model(self) -> models.Model:
        """What was learnt.

        Raises ConfigError where ``vocabulary_size`` is too small for the kind,
        DataError where a text was not valid Unicode.
        """
        size = check_size(self.config)
        if self._fault is not None:
            raise self._fault
        match self.config.kind:
            case "byte":
                return _byte_pairs(_numbered(SPECIALS + BYTES), [])
            case "word":
                return _word_level(self._words.total(), self.config)
            case "whitespace":
                counts = {escape_special(s): n for s, n in self._counts.items()}
                return _word_level(counts, self.config)
            case "character":
                return _word_level(self._counts, self.config)
            case "bpe" | "unigram":
                return _learn_pieces(self._sample.texts, size, self.config)
            case "imported":
                raise ConfigError(
                    "tokenizer of kind imported must come with its model (model.from)"
                )

    def _learn(self, texts: Sequence[str]) -> None:
        match self.config.kind:
            case "byte":
                return
            case "word":
                self._words.add(self._normal(texts))
            case "whitespace":
                self._counts.update(chain.from_iterable(map(str.split, self._normal(texts))))
            case "character":
                self._counts.update(chain.from_iterable(self._normal(texts)))
            case "bpe" | "unigram":
                self._sample.add(self._normal(texts))

    def _normal(self, texts: Sequence[str]) -> Sequence[str]:
        """Texts in normal form, cut at their tags where tags are symbols of their own."""
        if self._cut_tags:
            texts = [piece for text in texts for piece, is_tag in cut_at_tags(text) if not is_tag]
        if self._normalizer is None:
            return texts
        function = self._normalizer.normalize_str
        return [normalize(function, text) for text in texts]


def check_size(config: TokenizerConfig) -> int:
    """The number of symbols to aim at, 0 for no limit; raises ConfigError where it is too small."""
    if config.kind == "imported":
        raise ConfigError("tokenizer of kind imported must come with its model (model.from)")
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


def _word_level(counts: Mapping[str, int], config: TokenizerConfig) -> models.Model:
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


def _learn_pieces(sample: Sequence[str], size: int, config: TokenizerConfig) -> models.Model:
    alphabet = _alphabet(sample, (size - len(SPECIALS + BYTES) + 1) // 2)
    if config.kind == "bpe":
        return _byte_pairs(*_learn_merges(sample, alphabet, size, config))
    known = len(SPECIALS + BYTES)
    seeds, _ = _learn_merges(sample, alphabet, known + SEED_FACTOR * (size - known), config)
    words = Counter(chain.from_iterable(map(_Cutter(config.kind), filter(None, sample))))
    pieces = train_unigram(words, [p for p in seeds if seeds[p] >= known], size - known)
    fixed = [(symbol, 0.0) for symbol in SPECIALS + BYTES]
    return models.Unigram(fixed + pieces, unk_id=1, byte_fallback=True)


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


class _WordCounts:
    """How often each word and each punctuation mark occurs.

    A piece of the kind ``word`` holds no space but at its start. So texts are
    cut at their spaces, equal chunks are counted, and each is cut once for all
    its occurrences: several times as fast as cutting every text.
    """

    def __init__(self) -> None:
        self._cut = _Cutter("word")
        self._counts: Counter[str] = Counter()
        self._chunks: Counter[str] = Counter()
        self._characters = 0

    def add(self, texts: Sequence[str]) -> None:
        self._chunks.update(chain.from_iterable([text.split(" ") for text in texts if text]))
        self._characters += sum(map(len, texts))
        if len(self._chunks) >= CHUNKS or self._characters >= CHARACTERS:
            self._cut_chunks()

    def total(self) -> Counter[str]:
        self._cut_chunks()
        return self._counts

    def _cut_chunks(self) -> None:
        for chunk, count in self._chunks.items():
            for piece in self._cut(chunk):
                self._counts[piece] += count
        self._chunks.clear()
        self._characters = 0


class _Sample:
    """At most SAMPLE texts, each as likely as any other (Vitter 1985, algorithm R)."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self._seen = 0
        self._chance = random.Random(0)

    def add(self, texts: Iterable[str]) -> None:
        for number, text in enumerate(texts, self._seen):
            self._seen = number + 1
            if number < SAMPLE:
                self.texts.append(text)
            elif (place := self._chance.randrange(number + 1)) < SAMPLE:
                self.texts[place] = text


class _Cutter:
    """Cuts a text, with a space before it, into the pieces of a kind."""

    def __init__(self, kind: str) -> None:
        cutter = make_pre_tokenizer(kind)
        if cutter is None:
            raise ValueError(f"kind must cut its texts; got {kind}")
        self._cut = cutter.pre_tokenize_str

    def __call__(self, text: str) -> list[str]:
        try:
            return [piece for piece, _ in self._cut(f" {text}")]
        except UnicodeEncodeError:
            _require_unicode([text])
            raise


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
