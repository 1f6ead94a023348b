"""The data doctor: what is in the pairs, and what is wrong with them."""

from __future__ import annotations

import time
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from itertools import islice

import numpy as np
import numpy.typing as npt

from transduce.batches.mixture_sampler import shares
from transduce.checks.beyond_positions import UNLIMITED, BeyondPositions, Positions, sides_beyond
from transduce.checks.doctor_report import (
    CheckReport,
    FrameReport,
    Lengths,
    Share,
    SideReport,
    SplitReport,
    VocabularyReport,
)
from transduce.checks.leakage import Fingerprints, Leakage
from transduce.checks.unseen import SymbolRule, Unseen, is_crossed, rule_of
from transduce.config import Config, DataConfig, Files
from transduce.errors import ConfigError, DataError
from transduce.reading.column_names import is_header
from transduce.reading.frames import FileCheck, file_check, frame_reader, what_is_wrong
from transduce.reading.pair_files import Pair, read_pairs
from transduce.reading.parts import part_data, part_tags, parts_of, refuse_tags
from transduce.reading.problems import Problems
from transduce.tokenization.tags import TAG_OPEN, find_tags, without_tags
from transduce.tokenization.texts import portions

__all__ = ["CheckReport", "Leakage", "examine"]

_EXAMPLES = 3
_FREQUENT = 12
_PORTION = 4096  # pairs counted together
_MOST_WORDS = 500_000  # distinct words kept, so that text without spaces stays in memory
_MANY = 0.01  # share of pairs from which a finding is a warning
_ODD_FACTOR = 4.0
_ODD_CHARACTERS = 10
_FIRST = 100  # pairs that a header is told by


def examine(
    config: DataConfig, recipe: Config | None = None, positions: Positions = UNLIMITED
) -> CheckReport:
    """Read all of train, dev and test once (the first pairs a second time, for examples).

    ``recipe`` says by its tokenizers what a symbol is; none: a character. What is longer than the
    ``positions`` of its model is told. Bad lines are always counted, never raised. Of a mixture
    each part is examined by itself, under names such as ``ice train``. Memory: 24 bytes a pair and
    the vocabulary. Raises ConfigError where there is nothing to examine.
    """
    sets: dict[str, SplitReport] = {}
    leakage: dict[str, Leakage] = {}
    said: list[str] = []
    tags = part_tags(parts_of(Config(data=config)))
    for name, data in part_data(config).items():
        if name and data.train is None:
            raise ConfigError(f"data.parts.{name}.train must be given to be checked; got none")
        prefix = f"{name} " if name else ""
        rules = _rules(None if recipe is None else recipe.for_part(name))
        beyond = partial(sides_beyond, recipe, name, positions)
        own, leaks, told = _examine_set(data, tags, rules, beyond)
        sets |= {f"{prefix}{kind}": report for kind, report in own.items()}
        said += [f"{prefix}{line}" for line in told]
        leakage |= {f"{prefix}{kind}": leak for kind, leak in leaks.items()}
    if not sets:
        raise ConfigError("data.train must be given to be checked; got none")
    warnings = (*_warnings(sets, leakage), *said)
    return CheckReport(sets, leakage, warnings, _mixture(config, sets))


_Beyond = tuple[BeyondPositions, BeyondPositions]
Rules = tuple[SymbolRule | None, SymbolRule | None]


def _rules(recipe: Config | None) -> Rules:
    """Of sources and targets."""
    if recipe is None:
        return SymbolRule(), SymbolRule()
    return rule_of(recipe.tokenizer.source), rule_of(recipe.target_tokenizer)


def _examine_set(
    data: DataConfig, tags: frozenset[str], rules: Rules, beyond: Callable[[str], _Beyond]
) -> tuple[dict[str, SplitReport], dict[str, Leakage], list[str]]:
    """Train, dev and test of one data set, as far as they are given, and what to warn of."""
    given = {"train": data.train, "dev": data.dev, "test": data.test}
    examinations: dict[str, _Examination] = {}
    for name, files in given.items():
        if files is not None:
            beside = examinations.get("train")
            examinations[name] = _Examination(files, data, tags, rules, beyond(name), beside)
    said = [f"{name} {line}" for name, each in examinations.items() for line in each.warnings()]
    for name, each in examinations.items():
        said += [f"{name} {line}" for side in each.beyond for line in side.warning(name)]
    if (dev := examinations.get("dev")) and (test := examinations.get("test")):
        shared, _ = test.fingerprints.leaks_from(dev.fingerprints)
        if shared:
            said.append(
                f"test shares {shared.sources:,} of its {shared.total:,} sources with dev, by "
                "which a model is chosen"
            )
    leakage = {}
    if "train" in examinations:
        train = examinations["train"].fingerprints
        for name, examination in examinations.items():
            if name != "train":
                leakage[name] = examination.note_leakage(train)
    reports = {name: examination.report() for name, examination in examinations.items()}
    return reports, leakage, said


def _mixture(config: DataConfig, sets: Mapping[str, SplitReport]) -> dict[str, Share]:
    """What each part will be of an epoch, longer pairs that are left out not counted."""
    if config.parts is None:
        return {}
    sizes = [sets[f"{name} train"].pairs for name in config.parts]
    if not sum(sizes):
        return {}
    weights = [part.weight for part in config.parts.values()]
    found = shares(sizes, weights, config.temperature).tolist()
    return {
        name: Share(size, share, share * sum(sizes) / max(size, 1))
        for name, size, share in zip(config.parts, sizes, found, strict=True)
    }


def _warnings(splits: Mapping[str, SplitReport], leakage: Mapping[str, Leakage]) -> Iterator[str]:
    for name, split in splits.items():
        if split.error:
            yield f"{name} cannot be used: {split.error}"
        elif split.problems["skipped"]:
            yield f"{name} has {split.problems['skipped']:,} bad lines"
        for finding in ("duplicates", "odd length ratios"):
            count = split.findings[finding]
            if count > _MANY * split.pairs:
                yield f"{name} has many {finding}: {count:,} of {split.pairs:,} pairs"
    for name, leak in leakage.items():
        if leak:
            yield f"{name} is not unseen: {leak}"


class _Examination:
    """One pass over one split."""

    def __init__(
        self,
        files: Files,
        config: DataConfig,
        tags: frozenset[str],
        rules: Rules,
        beyond: _Beyond,
        train: _Examination | None,
    ) -> None:
        self._files = files
        self._config = config
        self._part_tags = tags
        self._problems = Problems("skip")
        self.fingerprints = Fingerprints()
        self._reader = frame_reader(config)
        check = file_check(config)
        rate = None if self._reader is None else self._reader.frames_a_second
        self._source = _Side() if check is None else _FrameSide(check, rate)
        self._target = _Side()
        self._source_lengths, self._target_lengths = array("i"), array("i")
        self._equal = array("q")
        self._leaks: npt.NDArray[np.intp] = np.empty(0, dtype=np.intp)
        self._has_leakage = False
        self._error: str | None = None
        self.beyond = beyond
        self._train = train
        known: tuple[Unseen | None, Unseen | None] = (None, None) if train is None else train.unseen
        self.unseen: tuple[Unseen, Unseen] = (
            Unseen(rules[0], known[0]),
            Unseen(rules[1], known[1]),
        )
        self._first: list[Pair] = []
        start = time.perf_counter()
        try:
            self._count(self._pairs(self._problems))
        except DataError as error:
            self._error = str(error)
        self._seconds = time.perf_counter() - start

    def _pairs(self, problems: Problems) -> Iterator[Pair]:
        pairs = read_pairs(self._files, self._config, problems)
        if isinstance(self._source, _FrameSide):
            pairs = self._source.readable(pairs, problems)
        return refuse_tags(pairs, self._part_tags, problems)

    def note_leakage(self, train: Fingerprints) -> Leakage:
        leakage, self._leaks = self.fingerprints.leaks_from(train)
        self._has_leakage = True
        return leakage

    def report(self) -> SplitReport:
        usual, odd = self._odd_ratios()
        ambiguous, second_targets = self.fingerprints.ambiguous()
        repeats = self.fingerprints.repeats()
        found: dict[str, tuple[int, Iterable[int]]] = {
            "duplicates": (len(repeats), repeats),
            "sources with several targets": (ambiguous, second_targets),
            "source = target": (len(self._equal), self._equal),
            "odd length ratios": (len(odd), odd),
        }
        if self._train is not None:
            for side, unseen in zip(("sources", "targets"), self.unseen, strict=True):
                strange, longer = unseen.with_strange, unseen.longer
                found[f"{side} with symbols not in train"] = (len(strange), strange)
                found[f"{side} longer than all in train"] = (len(longer), longer)
        found |= {one.name: (len(one.found), one.found) for one in self.beyond if one.most}
        if self._has_leakage:
            found["sources also in train"] = (len(self._leaks), self._leaks)
        return SplitReport(
            pairs=len(self.fingerprints),
            seconds=self._seconds,
            source=self._source.report(),
            target=self._target.report(),
            usual_ratio=usual,
            findings={name: count for name, (count, _) in found.items()},
            examples=self._examples({name: indices for name, (_, indices) in found.items()}),
            problems=self._problems.report(),
            error=self._error,
        )

    def _count(self, pairs: Iterator[Pair]) -> None:
        for portion in portions(pairs, _PORTION):
            start = len(self.fingerprints)
            for pair in portion:
                self.fingerprints.add(pair)
            sources = [pair.source for pair in portion]
            targets = [pair.target or "" for pair in portion]
            self._equal.extend(
                number
                for number, (source, target) in enumerate(zip(sources, targets, strict=True), start)
                if source == target
            )
            lengths = self._source.count(sources), self._target.count(targets)
            self._source_lengths.extend(lengths[0])
            self._target_lengths.extend(lengths[1])
            if self._reader is None:
                self.unseen[0].add(sources, lengths[0], start)
            self.unseen[1].add(targets, lengths[1], start)
            self.beyond[0].add(sources, lengths[0], start)
            self.beyond[1].add(targets, lengths[1], start)
            self._first += portion[: _FIRST - len(self._first)]

    def warnings(self) -> Iterator[str]:
        """What should be seen to, beside what the report's findings say."""
        rows = [[pair.source, pair.target or ""] for pair in self._first]
        is_first = bool(self._first) and self._first[0].line == 1 and not self._config.header
        if is_first and self._reader is None and len(rows) > 1 and is_header(rows[0], rows[1:]):
            yield (
                f"begins with what looks like the names of columns ({', '.join(rows[0])}): "
                "data.header=true reads it as that"
            )
        if self._train is None:
            return
        own, known = self._characters(), self._train._characters()
        if own is not None and known is not None and is_crossed(own, known):
            yield "seems to have its columns the other way round: its sources look like targets"
        sides = ("sources", "are read with <unk>"), ("targets", "cannot be written right")
        for (side, what), unseen in zip(sides, self.unseen, strict=True):
            if unseen.with_strange:
                yield (
                    f"has {len(unseen.with_strange):,} {side} that {what}: {len(unseen.strange):,} "
                    f"of their symbols stand nowhere in train ({unseen.shown()})"
                )
            if len(unseen.longer) > _MANY * len(self.fingerprints):
                yield f"has {len(unseen.longer):,} {side} that are longer than all in train"

    def _characters(self) -> tuple[Counter[str], Counter[str]] | None:
        """Of sources and targets; None where sources are no texts."""
        if isinstance(self._source, _FrameSide):
            return None
        return self._source.characters, self._target.characters

    def _odd_ratios(self) -> tuple[float, npt.NDArray[np.intp]]:
        """The median of target / source in characters, and the indices of pairs far from it."""
        source = np.maximum(np.array(self._source_lengths, dtype=np.int32), 1)
        target = np.maximum(np.array(self._target_lengths, dtype=np.int32), 1)
        if not len(source):
            return 1.0, np.empty(0, dtype=np.intp)
        usual = float(np.median(target / source))
        expected = source * usual
        odd = np.maximum(target / expected, expected / target) > _ODD_FACTOR
        if self._reader is not None:  # how long a recording is says little of its text
            return usual, np.empty(0, dtype=np.intp)
        # Among short texts a large factor means little.
        odd &= np.abs(target - expected) >= _ODD_CHARACTERS
        return usual, np.flatnonzero(odd)

    def _examples(self, found: Mapping[str, Iterable[int]]) -> dict[str, tuple[str, ...]]:
        """Read again as far as the first few of each finding stand."""
        wanted: dict[int, list[str]] = {}
        for name, indices in found.items():
            for index in islice(indices, _EXAMPLES):
                wanted.setdefault(int(index), []).append(name)
        examples: dict[str, list[str]] = {}
        if wanted:
            pairs = self._pairs(Problems("skip"))
            for index, pair in enumerate(islice(pairs, max(wanted) + 1)):
                for name in wanted.get(index, ()):
                    shown = f"{pair.file}, line {pair.line}: {pair.source} → {pair.target}"
                    examples.setdefault(name, []).append(shown)
        return {name: tuple(shown) for name, shown in examples.items()}


class _Side:
    """Lengths and symbols of one side."""

    def __init__(self) -> None:
        self._character_lengths: Counter[int] = Counter()
        self._word_lengths: Counter[int] = Counter()
        self.characters: Counter[str] = Counter()
        self._words: Counter[str] = Counter()
        self._tags: Counter[str] = Counter()
        self._words_complete = True

    def count(self, texts: list[str]) -> list[int]:
        """Take in texts; give their lengths in characters."""
        tags = [0] * len(texts)
        if any(TAG_OPEN in text for text in texts):
            found = [find_tags(text) for text in texts]
            tags = [len(symbols) for symbols in found]
            self._tags.update(tag for symbols in found for tag in symbols)
            texts = [without_tags(text) for text in texts]
        # Each tag left one blank behind, which counts for it.
        lengths = [len(text) for text in texts]
        words = [text.split() for text in texts]
        self._character_lengths.update(lengths)
        self._word_lengths.update(map(int.__add__, map(len, words), tags))
        self.characters.update("".join(texts))
        self.characters[" "] -= sum(tags)
        for symbols in words:
            self._words.update(symbols)
        if len(self._words) > _MOST_WORDS:
            self._words = Counter({word: n for word, n in self._words.items() if n > 1})
            self._words_complete = False
        return lengths

    def report(self) -> SideReport:
        return SideReport(
            Lengths(dict(self._character_lengths)),
            Lengths(dict(self._word_lengths)),
            _vocabulary(+self.characters, True),
            _vocabulary(self._words, self._words_complete),
            tuple(self._tags.most_common()),
        )


class _FrameSide:
    """Lengths of recordings or pictures, each read from beginning to end."""

    def __init__(self, check: FileCheck, frames_a_second: float | None) -> None:
        self._check = check
        self._rate = frames_a_second
        self._lengths: Counter[int] = Counter()

    def readable(self, pairs: Iterator[Pair], problems: Problems) -> Iterator[Pair]:
        """The pairs whose file is sound; the others are noted."""
        for pair in pairs:
            try:
                self._check.read(pair.source)
            except DataError as error:
                problems.add("unreadable source", what_is_wrong(error), pair.file, pair.line)
                continue
            yield pair

    def count(self, sources: list[str]) -> list[int]:
        """Take in files; give their lengths in frames."""
        lengths = [self._check.length(source) for source in sources]
        self._lengths.update(lengths)
        return lengths

    def report(self) -> FrameReport:
        return FrameReport(Lengths(dict(self._lengths)), self._rate)


def _vocabulary(counts: Counter[str], complete: bool) -> VocabularyReport:
    once = sum(1 for count in counts.values() if count == 1)
    return VocabularyReport(len(counts), once, tuple(counts.most_common(_FREQUENT)), complete)
