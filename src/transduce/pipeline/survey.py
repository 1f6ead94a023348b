"""One pass over the training pairs for all that has to be known before they are encoded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain

from transduce.config import Config, TagColumn, TokenizersConfig
from transduce.data.corpus import Pair
from transduce.data.leakage import Leakage, LeakageCounter
from transduce.data.tags import find_tags
from transduce.data.texts import portions
from transduce.data.tokenizer import Tokenizer
from transduce.data.vocabulary import VocabularyLearner, check_size
from transduce.errors import DataError
from transduce.pipeline.corpora import Corpora

__all__ = ["survey"]

Tokenizers = tuple[Tokenizer, Tokenizer]


def survey(
    config: Config, corpora: Corpora, known: Tokenizers | None = None
) -> tuple[Tokenizers, Leakage]:
    """The tokenizers of source and target, and how much of dev the training pairs hold.

    The pass is the first over the training files, the one that counts what is wrong in
    them. ``known`` tokenizers are given back as they are. Memory does not grow with
    the pairs. Raises DataError, ConfigError.
    """
    counter = LeakageCounter(_dev_pairs(corpora))
    pairs = corpora.train()
    if known is not None:
        for portion in portions(pairs):
            counter.add(portion)
        return known, counter.leakage()
    learning = _Learning(config.tokenizer, cut_tags=_has_tag_columns(config))
    for portion in portions(learning.begin(pairs)):
        counter.add(portion)
        learning.add(portion)
    if learning.cut_tags and not learning.tags:  # then what looks like a tag is text
        learning = _Learning(config.tokenizer, cut_tags=False)
        for portion in portions(corpora.train()):
            learning.add(portion)
    return learning.tokenizers(), counter.leakage()


class _Learning:
    """Both sides' vocabularies, learnt side by side from portions of pairs."""

    def __init__(self, config: TokenizersConfig, *, cut_tags: bool) -> None:
        self.cut_tags = cut_tags
        self.tags: set[str] = set()
        self._source = VocabularyLearner(config.source, cut_tags=cut_tags)
        self._target = None if config.shared else VocabularyLearner(config.target)

    def begin(self, pairs: Iterator[Pair]) -> Iterator[Pair]:
        """The same pairs, after a look at the first one and at the source's options."""
        first = next(pairs, None)
        if first is None:
            raise DataError("tokenizer must be trained on at least one text; got none")
        if not self.cut_tags:
            check_size(self._source.config)
        return chain([first], pairs)

    def add(self, pairs: Sequence[Pair]) -> None:
        sources = [pair.source for pair in pairs]
        if self.cut_tags:
            self.tags.update(chain.from_iterable(map(find_tags, sources)))
        self._source.add(sources)
        (self._target or self._source).add([pair.target or "" for pair in pairs])

    def tokenizers(self) -> Tokenizers:
        source = Tokenizer.learnt(self._source, sorted(self.tags))
        return source, source if self._target is None else Tokenizer.learnt(self._target)


def _dev_pairs(corpora: Corpora) -> Iterator[Pair]:
    for number, example in enumerate(corpora.dev, 1):
        for target in example.references:
            yield Pair(example.source, target, "dev", number)


def _has_tag_columns(config: Config) -> bool:
    columns = config.data.source if isinstance(config.data.source, list) else [config.data.source]
    return any(isinstance(column, TagColumn) for column in columns)
