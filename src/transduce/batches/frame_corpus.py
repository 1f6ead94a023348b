"""Pairs whose sources are files: paths and lengths are held, what they hold is read anew."""

from __future__ import annotations

import logging
import os
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from transduce.batches.encoded_corpus import EncodedSide
from transduce.batches.length_limits import LengthLimits
from transduce.batches.padding import pad_target
from transduce.batches.row_readers import RowReader
from transduce.config.data import DataConfig
from transduce.errors import DataError
from transduce.interfaces import END, Batch
from transduce.tokenization.joint import Coder
from transduce.tokenization.texts import portions

__all__ = ["FrameCorpus"]

Integers = NDArray[np.integer[Any]]


@dataclass(frozen=True)
class FrameCorpus:
    """Paths, lengths and targets of a data set.

    A pair costs its path, its target's tokens and sixteen bytes. ``batch`` reads the files of
    its pairs; training asks for batches ahead of time in a thread. With ``augment`` frames are
    changed as the reader's config says, by ``seed``, epoch and the number of the pair.
    """

    reader: RowReader[Any]
    names: NDArray[np.uint8]  # as the system writes them, one after another
    name_ends: NDArray[np.int64]  # [P]
    source_lengths: NDArray[np.int32]  # [P], before any augmentation
    target: EncodedSide
    augment: bool = False
    skip: bool = False  # what is found to be damaged when it is read
    seed: int = 1
    epoch: int = 0
    filtered: dict[str, int] = field(default_factory=dict)
    truncated: dict[str, int] = field(default_factory=dict)
    part_sizes: tuple[int, ...] = ()

    @classmethod
    def build(
        cls,
        parts: Sequence[Iterable[tuple[str, str]]],
        reader: RowReader[Any],
        target_tokenizers: Sequence[Coder],
        config: DataConfig,
        *,
        augment: bool = False,
        seed: int = 1,
    ) -> FrameCorpus:
        """Read every file's header and encode the targets, in one pass over the parts' pairs.

        There is a tokenizer for each part; all number their symbols alike.

        Limits as for texts, lengths of sources being frames. A source is never cut: with
        ``too_long: truncate`` a pair whose source is too long is left out. Raises DataError.
        """
        names, tokens = bytearray(), array("I")  # no Python object stays for each pair
        ends, lengths, counts = array("q"), array("i"), array("i")
        limits = LengthLimits(config, frames=True)
        sizes = []
        for pairs, tokenizer in zip(parts, target_tokenizers, strict=True):
            before = len(counts)
            for portion in portions(pairs):
                found = [reader.length(source) for source, _ in portion]
                rows = tokenizer.encode_batch([target for _, target in portion])
                own = [len(row) + 1 for row in rows]
                fitting = limits.apply(np.array(found, np.int64), np.array(own, np.int64))
                for (source, _), row, stays, length, count in zip(
                    portion, rows, *(values.tolist() for values in fitting), strict=True
                ):
                    if stays:
                        names += os.fsencode(source)
                        ends.append(len(names))
                        lengths.append(length)
                        counts.append(count)
                        tokens.extend([*row[: count - 1], END])
            sizes.append(len(counts) - before)
        target = EncodedSide.of(np.array(tokens, np.uint32), np.array(counts, np.int32))
        return cls(
            reader,
            np.frombuffer(bytes(names), np.uint8),
            np.array(ends, np.int64),
            np.array(lengths, np.int32),
            target,
            augment,
            config.on_error == "skip",
            seed,
            filtered=limits.filtered,
            truncated=limits.truncated,
            part_sizes=tuple(sizes),
        )

    def __len__(self) -> int:
        return len(self.name_ends)

    @property
    def target_lengths(self) -> NDArray[np.int32]:
        """Tokens of each target, END counted, ``[P]``."""
        return self.target.lengths

    def in_epoch(self, epoch: int) -> Self:
        """The corpus as it is in an epoch: augmented otherwise than in the others."""
        return replace(self, epoch=epoch)

    def unchanged(self) -> Self:
        """The corpus without augmentation."""
        return replace(self, augment=False)

    def name(self, index: int) -> str:
        """The path of one source."""
        start = int(self.name_ends[index - 1]) if index else 0
        return os.fsdecode(bytes(self.names[start : int(self.name_ends[index])]))

    def batch(self, indices: Sequence[int] | Integers) -> Batch:
        """Some pairs, their files read.

        A header may be sound and the rest not: with ``skip`` such a pair is left out, and the log
        says so. Raises DataError without it, and where nothing of the batch can be read.
        """
        numbers, rows = self._read(np.asarray(indices, dtype=np.int64))
        target = self.target
        padded, lengths = pad_target(target.tokens, target.starts[numbers], target.lengths[numbers])
        return Batch(self.reader.padded(rows), padded, lengths, tuple(numbers.tolist()))

    def _read(self, numbers: Integers) -> tuple[Integers, list[Any]]:
        """The pairs whose sources are sound, and these."""
        rows, sound = [], []
        problem: DataError | None = None
        for index in numbers.tolist():
            try:
                rows.append(self._row(index))
                sound.append(index)
            except DataError as error:
                if not self.skip:
                    raise
                problem = error
                logging.getLogger("transduce").warning("left out: %s", error)
        if problem is not None and not sound:
            raise problem
        return np.array(sound, dtype=np.int64), rows

    def _row(self, index: int) -> Any:
        if self.augment:
            return self.reader.augmented(self.name(index), self.seed, self.epoch, index)
        return self.reader.read(self.name(index))
