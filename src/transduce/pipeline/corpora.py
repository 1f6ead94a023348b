"""The pairs of a recipe, from files or from memory, opened anew for each pass over them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from transduce.config import Config, DataConfig, Files, ParallelFiles
from transduce.data.corpus import Example, Pair, group_examples, read_pairs
from transduce.data.problems import Problems
from transduce.data.split import splitter
from transduce.errors import ConfigError, DataError

__all__ = [
    "Corpora",
    "corpora_from_lists",
    "digest",
    "examples_from_files",
    "file_list",
    "open_corpora",
]


@dataclass(frozen=True)
class Corpora:
    """``train()`` streams the training pairs; ``dev`` holds the examples to choose by.

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

    @property
    def fingerprint(self) -> str:
        """One hash over the content of all files, wherever they stand."""
        return digest("\n".join(self.fingerprints.values()))


def open_corpora(config: Config) -> Corpora:
    """The training and dev pairs that a recipe names. Raises ConfigError, DataError."""
    data = config.data
    if data.train is None:
        raise ConfigError("data.train must name a file with pairs; got none")
    files = [*file_list(data.train), *(file_list(data.dev) if data.dev else [])]
    problems = Problems(data.on_error)
    fingerprints = {str(path): _file_digest(path) for path in files}
    size = sum(_size(path) for path in file_list(data.train))
    if data.dev is not None:
        dev_problems = Problems(data.on_error)
        dev = examples_from_files(data.dev, data, dev_problems)
        train = _counted(data, problems, set())
        return Corpora(train, dev, problems, fingerprints, size, dev_problems)
    pairs = read_pairs(data.train, data, Problems(data.on_error))
    dev = group_examples(filter(_held_out(data.dev_fraction), pairs))
    train = _counted(data, problems, {example.source for example in dev})
    return Corpora(train, dev, problems, fingerprints, size)


def corpora_from_lists(
    train: Iterable[tuple[str, str]], dev: Iterable[tuple[str, str]] | None, dev_fraction: float
) -> Corpora:
    """Pairs in memory; without dev pairs a share of the training sources is held out."""
    pairs = list(_pairs(train, "training pairs"))
    if dev is not None:
        dev_pairs = list(_pairs(dev, "dev pairs"))
    else:
        dev_pairs = list(filter(_held_out(dev_fraction), pairs))
        sources = {pair.source for pair in dev_pairs}
        pairs = [pair for pair in pairs if pair.source not in sources]
    text = "\n".join(f"{pair.source}\t{pair.target}" for pair in [*pairs, *dev_pairs])
    fingerprints = {"memory": digest(text)}
    return Corpora(
        partial(iter, pairs), group_examples(dev_pairs), Problems("stop"), fingerprints, len(text)
    )


def examples_from_files(files: Files, config: DataConfig, problems: Problems) -> list[Example]:
    """Examples to score on, several targets of one source together."""
    return group_examples(read_pairs(files, config, problems))


def file_list(files: Files) -> list[Path]:
    """All paths that a ``Files`` option names."""
    entries = files if isinstance(files, list) else [files]
    paths: list[Path] = []
    for entry in entries:
        paths += [entry.source, entry.target] if isinstance(entry, ParallelFiles) else [entry]
    return paths


def _counted(
    config: DataConfig, problems: Problems, held_out: AbstractSet[str]
) -> Callable[[], Iterator[Pair]]:
    """Each call reads the files once more; only the first pass counts its problems.

    ``held_out`` are the sources of dev: known texts are faster to look up than to hash again.
    """
    passes: list[Problems] = [problems]

    def stream() -> Iterator[Pair]:
        if config.train is None:
            raise ConfigError("data.train must name a file with pairs; got none")
        counting = passes.pop() if passes else Problems(config.on_error)
        pairs = read_pairs(config.train, config, counting)
        return (pair for pair in pairs if pair.source not in held_out) if held_out else pairs

    return stream


def _held_out(fraction: float) -> Callable[[Pair], bool]:
    part_of = splitter({"train": 1 - fraction, "dev": fraction})
    return lambda pair: part_of(pair.source) == "dev"


def _pairs(pairs: Iterable[tuple[str, str]], name: str) -> Iterator[Pair]:
    for number, (source, target) in enumerate(pairs, 1):
        if not source.strip() or not target.strip():
            raise DataError("source and target must not be empty", file=name, line=number)
        yield Pair(source, target, name, number)


def digest(text: str) -> str:
    """A short hash that names a text."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def _paths_below(path: Path) -> Sequence[Path]:
    return sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]


def _file_digest(path: Path) -> str:
    hashed = hashlib.blake2b(digest_size=16)
    try:
        for file in _paths_below(path):
            with file.open("rb") as stream:
                while block := stream.read(1 << 22):
                    hashed.update(block)
    except OSError as error:
        raise DataError(f"file must be readable; got {error.strerror}", file=path) from None
    return hashed.hexdigest()


def _size(path: Path) -> int:
    return sum(file.stat().st_size for file in _paths_below(path))
