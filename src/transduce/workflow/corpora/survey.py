"""One pass over the training pairs for all that has to be known before they are encoded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from transduce.checks.leakage import Leakage, LeakageCounter
from transduce.checks.trained_on import PairCounter, PairSketch
from transduce.config import Config, DataConfig, TagColumn
from transduce.errors import DataError
from transduce.reading.frames import beside_reader, frame_reader, inputs_of
from transduce.reading.pair_files import Pair
from transduce.reading.parts import parts_of
from transduce.tokenization.joint import JointTokenizer
from transduce.tokenization.tags import find_tags
from transduce.tokenization.texts import portions
from transduce.tokenization.tokenizer import Tokenizer
from transduce.tokenization.vocabulary import VocabularyLearner, check_size
from transduce.workflow.corpora.corpora import Corpora
from transduce.workflow.tokenizer_files import JoinedSide, Side, SideTokenizer, SourceSide

__all__ = ["Seen", "Tokenizers", "survey"]

Tokenizers = tuple[SourceSide, SideTokenizer]

_FIRST = 5000  # training pairs of each part that are looked at closely
_FIRST_CHARACTERS = 1 << 22


@dataclass(frozen=True)
class Seen:
    """What the pass saw: how much of dev the training pairs hold and which of its sources, a sketch
    of them all, and the first of each part by its name ("" where there are none).
    """

    leakage: Leakage
    leaked: frozenset[str]
    sketch: PairSketch
    first: Mapping[str, Sequence[Pair]]


def survey(
    config: Config, corpora: Corpora, known: Tokenizers | None = None
) -> tuple[Tokenizers, Seen]:
    """What reads sources and the tokenizer of targets, and what else was seen of the pairs.

    The pass is the first over the training files, the one that counts what is wrong in
    them. ``known`` tokenizers are given back as they are. Memory does not grow with
    the pairs. Raises DataError, ConfigError.
    """
    looking = _Looking(corpora)
    if known is not None:
        for name, portion in _portions(corpora):
            looking.add(name, portion)
        return known, looking.seen()
    learning = _Learning(config, *_tagged_sides(config))
    for name, portion in _portions(corpora, learning.begin):
        looking.add(name, portion)
        learning.add(name, portion)
    if learning.finds_no_tags():  # then what looks like a tag is text
        learning = _Learning(config, False, False)
        for name, portion in _portions(corpora, learning.begin):
            learning.add(name, portion)
    return learning.tokenizers(), looking.seen()


def _portions(
    corpora: Corpora, begin: Callable[[str], None] = lambda part: None
) -> Iterator[tuple[str, list[Pair]]]:
    """The training pairs in portions, each with the name of its part ("" where there are none).

    ``begin`` is called when the first pair of a part is there.
    """
    for name, stream in corpora.train_by_part().items():
        pairs = stream()
        first = next(pairs, None)
        if first is not None:
            begin(name)
            for portion in portions(chain([first], pairs)):
                yield name, portion


class _Looking:
    """Takes in portions of pairs for what is told of them."""

    def __init__(self, corpora: Corpora) -> None:
        self._leakage = LeakageCounter(corpora.dev_pairs())
        self._pairs = PairCounter()
        self._first: dict[str, list[Pair]] = {}
        self._characters = 0

    def add(self, part: str, pairs: Sequence[Pair]) -> None:
        self._leakage.add(pairs)
        self._pairs.add((pair.source, pair.target or "") for pair in pairs)
        first = self._first.setdefault(part, [])
        for pair in pairs[: _FIRST - len(first)]:
            if self._characters > _FIRST_CHARACTERS:
                break
            self._characters += len(pair.source) + len(pair.target or "")
            first.append(pair)

    def seen(self) -> Seen:
        return Seen(
            self._leakage.leakage(), self._leakage.sources, self._pairs.sketch(), self._first
        )


class _Learning:
    """Both sides' vocabularies, learnt side by side from portions of pairs."""

    def __init__(self, config: Config, cut_source: bool, cut_target: bool) -> None:
        """``cut_…``: whether tags stand in the texts of that side."""
        self._tagged = cut_source, cut_target
        self._cuts_tags = cut_source or cut_target
        self._begun = False
        self._reader = frame_reader(config.data)
        self._joins = config.data.beside is not None
        self._second = beside_reader(config.data)
        cut = cut_source or (config.tokenizer.shared and cut_target)
        self._source = _SideLearning(config, "source", cut_tags=cut)
        self._target = self._source
        if not config.tokenizer.shared:
            self._target = _SideLearning(config, "target", cut_tags=cut_target)

    def begin(self, part: str) -> None:
        """A look at the source's options, which comes before what is wrong further on."""
        self._begun = True
        if not self._cuts_tags and self._reader is None:
            self._source.check_size(part)

    def add(self, part: str, pairs: Sequence[Pair]) -> None:
        if self._reader is None:
            self._source.add(part, [pair.source for pair in pairs], self._tagged[0])
        elif self._joins and self._second is None:
            self._source.add(part, [inputs_of(pair.source)[1] for pair in pairs], False)
        self._target.add(part, [pair.target or "" for pair in pairs], self._tagged[1])

    def finds_no_tags(self) -> bool:
        """Whether there should have been tags and none came."""
        return self._cuts_tags and not (self._source.tags or self._target.tags)

    def tokenizers(self) -> Tokenizers:
        if not self._begun:
            raise DataError("tokenizer must be trained on at least one text; got none")
        if self._reader is not None and self._joins:
            second = self._second or self._source.tokenizer()
            return JoinedSide(self._reader, second), self._target.tokenizer()
        if self._reader is not None:
            return self._reader, self._target.tokenizer()
        source = self._source.tokenizer()
        return source, source if self._target is self._source else self._target.tokenizer()


class _SideLearning:
    """The vocabularies of one side: the recipe's, and those of parts with their own."""

    def __init__(self, config: Config, side: Side, *, cut_tags: bool) -> None:
        self._learners = {
            name: VocabularyLearner(
                getattr(config.for_part(name).tokenizer, side), cut_tags=cut_tags
            )
            for name in config.tokenizer_names(side)
        }
        self._tags: dict[str, set[str]] = {name: set() for name in self._learners}

    @property
    def tags(self) -> set[str]:
        return set().union(*self._tags.values())

    def check_size(self, part: str) -> None:
        check_size(self._learners[self._owner(part)].config)

    def add(self, part: str, texts: Sequence[str], tagged: bool) -> None:
        owner = self._owner(part)
        if tagged:
            self._tags[owner].update(chain.from_iterable(map(find_tags, texts)))
        self._learners[owner].add(texts)

    def tokenizer(self) -> SideTokenizer:
        members = {
            name: Tokenizer.learnt(learner, sorted(self._tags[name]))
            for name, learner in self._learners.items()
        }
        return members[""] if list(members) == [""] else JointTokenizer(members)

    def _owner(self, part: str) -> str:
        return part if part in self._learners else ""


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
