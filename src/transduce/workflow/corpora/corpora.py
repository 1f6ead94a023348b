"""The pairs of a recipe, from files or from memory, opened anew for each pass over them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from transduce.config import Config, DataConfig, Files, ParallelFiles
from transduce.errors import ConfigError, DataError
from transduce.reading.held_out import shares, split_of
from transduce.reading.pair_files import Example, Pair, group_examples, read_pairs
from transduce.reading.parts import WHOLE, Part, part_tags, parts_of, refuse_tags
from transduce.reading.problems import Problems
from transduce.workflow.corpora.digests import digest, file_digest, paths_below

__all__ = [
    "Corpora",
    "CorpusPart",
    "corpora_from_lists",
    "examples_from_files",
    "file_list",
    "held_out_test",
    "mixture_from_lists",
    "open_corpora",
    "open_part",
    "read_dev",
    "test_set_of",
]

_MEMORY = Path("memory")  # in the place of a file whose pairs are given as a list


@dataclass(frozen=True)
class CorpusPart:
    """One data set. ``plain()`` streams its training pairs as they stand in the files."""

    part: Part
    plain: Callable[[], Iterator[Pair]]
    dev: list[Example]

    def train(self) -> Iterator[Pair]:
        """Its training pairs with the part's tags, as the model reads them."""
        return self.part.tagged(self.plain())

    def dev_pairs(self) -> Iterator[Pair]:
        """The dev examples as pairs with the part's tags."""
        for number, example in enumerate(self.dev, 1):
            for target in example.references:
                source = self.part.source(example.source)
                yield Pair(source, self.part.target(target), "dev", number)


@dataclass(frozen=True)
class Corpora:
    """``train()`` streams the training pairs; ``dev`` holds the examples to choose by.

    A mixture has ``parts``; ``train()`` streams one after the other, with their tags.
    ``fingerprints`` maps each file's name to a hash of its bytes; ``problems``
    counts what was skipped in the first pass over the training files, ``dev_problems``
    what was skipped in dev files of their own.
    """

    train: Callable[[], Iterator[Pair]]
    dev: list[Example]
    problems: Problems
    fingerprints: dict[str, str] = field(default_factory=dict)
    bytes: int = 0
    dev_problems: Problems = field(default_factory=Problems)
    parts: tuple[CorpusPart, ...] = ()
    whole: Part = WHOLE  # how all is read where there are no parts
    test: list[Example] = field(default_factory=list)  # of pairs in memory: data.test_fraction

    def dev_pairs(self) -> Iterator[Pair]:
        """All dev examples as pairs, as the model reads them."""
        parts = self.parts or (CorpusPart(self.whole, self.train, self.dev),)
        return chain.from_iterable(part.dev_pairs() for part in parts)

    def train_by_part(self) -> dict[str, Callable[[], Iterator[Pair]]]:
        """Streams of training pairs by the part's name, "" where there are no parts."""
        return {part.part.name: part.train for part in self.parts} or {"": self.train}

    def dev_by_part(self) -> dict[str, list[Example]]:
        """Dev examples likewise, of the parts that have some."""
        if not self.parts:
            return {"": self.dev}
        return {part.part.name: part.dev for part in self.parts if part.dev}

    def unlearnt_dev(self, leaked: Collection[str], least: int) -> dict[str, list[Example]]:
        """``dev_by_part`` without the ``leaked`` sources, those that train has too; all of it
        where so fewer than ``least`` examples would be left.
        """
        parts = {part.part.name: part.part for part in self.parts} or {"": self.whole}
        whole = self.dev_by_part()
        unlearnt = {
            name: [one for one in dev if parts[name].source(one.source) not in leaked]
            for name, dev in whole.items()
        }
        return whole if sum(map(len, unlearnt.values())) < least else unlearnt

    @property
    def fingerprint(self) -> str:
        """One hash over the content of all files, wherever they stand."""
        return digest("\n".join(self.fingerprints.values()))


def open_corpora(config: Config) -> Corpora:
    """The training and dev pairs that a recipe names. Raises ConfigError, DataError."""
    parts = parts_of(config)
    problems, dev_problems = Problems(config.data.on_error), Problems(config.data.on_error)
    fingerprints: dict[str, str] = {}
    size = 0
    for part in parts.values():
        train = file_list(_train_files(part))
        files = [*train, *(file_list(part.data.dev) if part.data.dev else [])]
        place = f"{part.name}: " if part.name else ""
        fingerprints |= {f"{place}{path}": file_digest(path) for path in files}
        size += sum(map(_size, train))
    tags = part_tags(parts)
    opened = [open_part(part, tags, problems, dev_problems) for part in parts.values()]
    return Corpora(
        lambda: chain.from_iterable(part.train() for part in opened),
        [example for part in opened for example in part.dev],
        problems,
        fingerprints,
        size,
        dev_problems,
        () if config.data.parts is None else tuple(opened),
        WHOLE if config.data.parts is not None else parts[""],
    )


def open_part(
    part: Part, tags: frozenset[str], problems: Problems, dev_problems: Problems
) -> CorpusPart:
    """One data set from its files, none of whose texts may hold ``tags``. Raises as
    :func:`open_corpora`.
    """
    data = part.data
    dev, kept = _held_out(part, tags)
    if data.dev is not None:
        dev = examples_from_files(data.dev, data, dev_problems, tags)
    return CorpusPart(part, _counted(part, tags, problems, kept), dev)


def read_dev(config: Config) -> dict[str, list[Example]]:
    """The dev examples of each part that has some, by its name, "" where there are no parts.

    Train is read only where dev is a share of it. Raises as :func:`open_corpora`.
    """
    parts, problems = parts_of(config), Problems(config.data.on_error)
    tags = part_tags(parts)

    def own(part: Part) -> list[Example]:
        if part.data.dev is not None:
            return examples_from_files(part.data.dev, part.data, problems, tags)
        return open_part(part, tags, problems, problems).dev

    return {name: dev for name, part in parts.items() if (dev := own(part))}


def _held_out(part: Part, tags: frozenset[str]) -> tuple[list[Example], set[str]]:
    """The training files' examples for dev, and all sources that training does not see."""
    data = part.data
    if not any(shares(data)):
        return [], set()
    side = split_of(data)
    unnoticed = Problems(data.on_error)
    for_dev: list[Pair] = []
    kept: set[str] = set()
    for pair in refuse_tags(read_pairs(_train_files(part), data, unnoticed), tags, unnoticed):
        if (split := side(pair)) != "train":
            kept.add(pair.source)
            if split == "dev":
                for_dev.append(pair)
    return group_examples(for_dev), kept


def held_out_test(part: Part, problems: Problems, tags: frozenset[str]) -> list[Example]:
    """What ``data.test_fraction`` keeps of the training files. Raises DataError for nothing."""
    data = part.data
    side = split_of(data)
    pairs = refuse_tags(read_pairs(_train_files(part), data, problems), tags, problems)
    examples = group_examples(pair for pair in pairs if side(pair) == "test")
    if not examples:
        raise DataError(
            "data.test_fraction must keep at least one source of the training data; got "
            f"{data.test_fraction:g}, which keeps none"
        )
    return examples


def test_set_of(part: Part, problems: Problems, tags: frozenset[str]) -> list[Example] | None:
    """The examples of a part's test set; None where its recipe has none. Raises DataError."""
    if part.data.test is not None:
        return examples_from_files(part.data.test, part.data, problems, tags)
    return held_out_test(part, problems, tags) if part.data.test_fraction else None


def corpora_from_lists(
    train: Iterable[tuple[str, str]],
    dev: Iterable[tuple[str, str]] | None,
    dev_fraction: float,
    whole: Part = WHOLE,
) -> Corpora:
    """Pairs in memory; without dev pairs a share of the training sources is held out.

    ``whole`` says what stands before each source.
    """
    dev_pairs = None if dev is None else list(_pairs(dev, "dev pairs"))
    pairs = list(_pairs(train, "training pairs"))
    part, test, text = _of_lists(whole, pairs, dev_pairs, dev_fraction)
    fingerprints = {"memory": digest(text)}
    return Corpora(
        part.train, part.dev, Problems("stop"), fingerprints, len(text), whole=whole, test=test
    )


def mixture_from_lists(
    train: Iterable[tuple[str, str, str]],
    dev: Iterable[tuple[str, str, str]] | None,
    dev_fraction: float,
    parts: Mapping[str, Part],
) -> Corpora:
    """Pairs in memory, the third text of each being the name of the part that it is of.

    Without dev pairs a share of each part's training sources is held out. Raises DataError where
    one is of no part of ``parts``, is empty or holds a part's tag.
    """
    pairs = _pairs_by_part(train, parts, "training pairs")
    dev_pairs = None if dev is None else _pairs_by_part(dev, parts, "dev pairs")
    opened, fingerprints, size = [], {}, 0
    for name, part in parts.items():
        own_dev = None if dev_pairs is None else dev_pairs[name]
        corpus_part, _, text = _of_lists(part, pairs[name], own_dev, dev_fraction)
        opened.append(corpus_part)
        fingerprints[f"{name}: memory"] = digest(text)
        size += len(text)
    return Corpora(
        lambda: chain.from_iterable(part.train() for part in opened),
        [example for part in opened for example in part.dev],
        Problems("stop"),
        fingerprints,
        size,
        parts=tuple(opened),
    )


def _of_lists(
    part: Part, pairs: list[Pair], dev: list[Pair] | None, dev_fraction: float
) -> tuple[CorpusPart, list[Example], str]:
    """A data set in memory, its test examples, and all its text."""
    given = {"dev": None if dev is None else _MEMORY, "dev_fraction": dev_fraction}
    side = split_of(part.data.model_copy(update=given))
    by_split: dict[str, list[Pair]] = {"train": [], "test": [], "dev": list(dev or ())}
    for pair in pairs:
        by_split[side(pair)].append(pair)
    kept = {pair.source for pair in chain(by_split["test"], () if dev else by_split["dev"])}
    pairs = [pair for pair in by_split["train"] if pair.source not in kept]
    text = "\n".join(f"{pair.source}\t{pair.target}" for pair in [*pairs, *by_split["dev"]])
    corpus = CorpusPart(part, lambda: iter(pairs), group_examples(by_split["dev"]))
    return corpus, group_examples(by_split["test"]), text


def _pairs_by_part(
    triples: Iterable[tuple[str, str, str]], parts: Mapping[str, Part], name: str
) -> dict[str, list[Pair]]:
    given = list(triples)
    by_part: dict[str, list[Pair]] = {part: [] for part in parts}
    pairs = _pairs(((source, target) for source, target, _ in given), name)
    kept = refuse_tags(pairs, part_tags(parts), Problems("stop"))
    for pair, (_, _, part) in zip(kept, given, strict=True):
        if part not in by_part:
            raise DataError(
                f"part must be one of {', '.join(parts)}; got {part!r}", file=name, line=pair.line
            )
        by_part[part].append(pair)
    return by_part


def examples_from_files(
    files: Files, config: DataConfig, problems: Problems, tags: frozenset[str] = frozenset()
) -> list[Example]:
    """Examples to score on, several targets of one source together; none may hold ``tags``."""
    return group_examples(refuse_tags(read_pairs(files, config, problems), tags, problems))


def file_list(files: Files) -> list[Path]:
    """All paths that a ``Files`` option names."""
    entries = files if isinstance(files, list) else [files]
    paths: list[Path] = []
    for entry in entries:
        paths += [entry.source, entry.target] if isinstance(entry, ParallelFiles) else [entry]
    return paths


def _train_files(part: Part) -> Files:
    if part.data.train is None:
        key = f"data.parts.{part.name}.train" if part.name else "data.train"
        raise ConfigError(f"{key} must name a file with pairs; got none")
    return part.data.train


def _counted(
    part: Part, tags: frozenset[str], problems: Problems, held_out: AbstractSet[str]
) -> Callable[[], Iterator[Pair]]:
    """Each call reads the files once more; only the first pass counts its problems.

    ``held_out`` are the sources of dev: known texts are faster to look up than to hash again.
    """
    passes: list[Problems] = [problems]

    def stream() -> Iterator[Pair]:
        counting = passes.pop() if passes else Problems(part.data.on_error)
        pairs = refuse_tags(read_pairs(_train_files(part), part.data, counting), tags, counting)
        if held_out:
            pairs = (pair for pair in pairs if pair.source not in held_out)
        return pairs

    return stream


def _pairs(pairs: Iterable[tuple[str, str]], name: str) -> Iterator[Pair]:
    for number, (source, target) in enumerate(pairs, 1):
        if not source.strip() or not target.strip():
            raise DataError("source and target must not be empty", file=name, line=number)
        yield Pair(source, target, name, number)


def _size(path: Path) -> int:
    return sum(file.stat().st_size for file in paths_below(path))
