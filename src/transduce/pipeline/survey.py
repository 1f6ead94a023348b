"""One pass over the training pairs for all that has to be known before they are encoded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain

from transduce.config import Config, DataConfig, TagColumn, TokenizersConfig
from transduce.data.corpus import Pair
from transduce.data.leakage import Leakage, LeakageCounter
from transduce.data.parts import parts_of
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
    counter = LeakageCounter(corpora.dev_pairs())
    pairs = corpora.train()
    if known is not None:
        for portion in portions(pairs):
            counter.add(portion)
        return known, counter.leakage()
    learning = _Learning(config.tokenizer, *_tagged_sides(config))
    for portion in portions(learning.begin(pairs)):
        counter.add(portion)
        learning.add(portion)
    if learning.cut_tags and not any(learning.tags):  # then what looks like a tag is text
        learning = _Learning(config.tokenizer, False, False)
        for portion in portions(corpora.train()):
            learning.add(portion)
    return learning.tokenizers(), counter.leakage()


class _Learning:
    """Both sides' vocabularies, learnt side by side from portions of pairs."""

    def __init__(self, config: TokenizersConfig, cut_source: bool, cut_target: bool) -> None:
        """``cut_…``: whether tags stand in the texts of that side."""
        self.cut_tags = cut_source or cut_target
        self.tags: tuple[set[str], set[str]] = (set(), set())
        if config.shared:
            both = VocabularyLearner(config.source, cut_tags=self.cut_tags)
            self._learners = (both, both)
        else:
            self._learners = (
                VocabularyLearner(config.source, cut_tags=cut_source),
                VocabularyLearner(config.target, cut_tags=cut_target),
            )
        self._cut = (cut_source, cut_target)

    def begin(self, pairs: Iterator[Pair]) -> Iterator[Pair]:
        """The same pairs, after a look at the first one and at the source's options."""
        first = next(pairs, None)
        if first is None:
            raise DataError("tokenizer must be trained on at least one text; got none")
        if not self.cut_tags:
            check_size(self._learners[0].config)
        return chain([first], pairs)

    def add(self, pairs: Sequence[Pair]) -> None:
        sides = [pair.source for pair in pairs], [pair.target or "" for pair in pairs]
        for texts, learner, tags, cut in zip(
            sides, self._learners, self.tags, self._cut, strict=True
        ):
            if cut:
                tags.update(chain.from_iterable(map(find_tags, texts)))
            learner.add(texts)

    def tokenizers(self) -> Tokenizers:
        source, target = self._learners
        if source is target:
            both = Tokenizer.learnt(source, sorted(self.tags[0] | self.tags[1]))
            return both, both
        first = Tokenizer.learnt(source, sorted(self.tags[0]))
        return first, Tokenizer.learnt(target, sorted(self.tags[1]))


def _tagged_sides(config: Config) -> tuple[bool, bool]:
    """Whether sources and targets hold tags: those of columns, and of the parts of a mixture."""
    parts = parts_of(config).values()
    columns = any(_has_tag_columns(part.data) for part in parts)
    return (
        columns or any(part.source_tag for part in parts),
        any(part.target_tag for part in parts),
    )


def _has_tag_columns(data: DataConfig) -> bool:
    columns = data.source if isinstance(data.source, list) else [data.source]
    return any(isinstance(column, TagColumn) for column in columns)
