"""What a harness is: valid inputs, how each of their files is damaged, and who reads them."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cached_property
from pathlib import Path
from random import Random

__all__ = ["Files", "Harness", "Mutation", "WrongAnswerError", "lay"]

Files = dict[str, bytes]  # the files of an input by name, ``/`` between folders
Mutation = Callable[[Random, bytes], bytes]

_LARGE = 4096  # bytes: larger files are damaged as often


class WrongAnswerError(Exception):
    """A reader took what it had to refuse, or changed what it had to leave alone."""


@dataclass(frozen=True)
class Harness:
    """One reader under test.

    ``samples`` makes valid inputs, always the same. ``mutations`` has one for each file, by a
    pattern of its name; the first that fits counts. ``feed`` reads an input and may use a folder
    that is empty before. It returns what tells answers apart, raises a TransduceError for what is
    refused, and WrongAnswerError where an answer cannot be right. ``quick`` inputs run in ``make
    test``; ``needs`` are packages without which nothing can be tested, ``lacks`` says what else is
    not there; ``whole`` is an input's own mutation, of all its files together, tried after those of
    single ones, four times in ten.
    """

    name: str
    samples: Callable[[], Sequence[Files]]
    mutations: Mapping[str, Mutation]
    feed: Callable[[Files, Path], object]
    quick: int
    needs: tuple[str, ...] = ()
    whole: Callable[[Random, Files], Files] | None = None
    lacks: Callable[[], str | None] = lambda: None

    @cached_property
    def valid(self) -> Sequence[Files]:
        """The samples, made once."""
        return list(self.samples())

    @cached_property
    def warm(self) -> bool:
        """Whether the first sample was read in this process, so that no worker imports anything."""
        for files in self.valid[:1]:
            with tempfile.TemporaryDirectory() as folder:
                self.feed(files, Path(folder))
        return True

    def draw(self, chance: Random, known: Sequence[Files] = ()) -> Files:
        """An input: a sample (or one of those already ``known``), damaged."""
        among = known if known and chance.random() < 0.7 else self.valid
        files = dict(chance.choice(among))
        for name in self._chosen(chance, files):
            files[name] = self.mutation(name)(chance, files[name])
        if self.whole is not None and chance.random() < 0.4:
            files = self.whole(chance, files)
        return files

    def mutation(self, name: str) -> Mutation:
        """How a file is damaged."""
        return next(
            (found for pattern, found in self.mutations.items() if fnmatch(name, pattern)), _kept
        )

    def _chosen(self, chance: Random, files: Files) -> list[str]:
        """Mostly one file, of those that are damaged at all; large ones more often."""
        names = [name for name in sorted(files) if self.mutation(name) is not _kept]
        if not names:
            return []
        if chance.random() < 0.85:
            return chance.choices(
                names, [8 + min(len(files[name]), _LARGE) ** 0.5 for name in names]
            )
        return chance.sample(names, chance.randint(1, len(names)))


def _kept(chance: Random, data: bytes) -> bytes:
    return data


def lay(files: Files, folder: Path) -> Path:
    """Write an input's files into a folder, which is made where it is not there."""
    if not folder.exists():
        folder.mkdir()
    for name, data in files.items():
        path = folder / name
        if "/" in name:
            path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder
