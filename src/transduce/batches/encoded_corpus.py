"""Pairs as numbers: two flat arrays of tokens, in memory or mapped from files."""

from __future__ import annotations

import mmap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, count
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transduce.batches.encoded_files import Counts, Integers, Sink, read_folder, write_folder
from transduce.batches.length_limits import LengthLimits
from transduce.batches.padding import pad_source, pad_target
from transduce.batches.token_files import token_type
from transduce.config import DataConfig
from transduce.errors import DataError
from transduce.interfaces import END, Batch
from transduce.tokenization.joint import Coder
from transduce.tokenization.texts import portions

__all__ = ["EncodedCorpus", "EncodedSide", "TextPairs"]

Rows = list[list[int]]

RESIDENT = 1 << 28  # bytes of mapped files that may stay in memory
RELEASE = 8  # batches after which larger files give theirs back


@dataclass(frozen=True, slots=True)
class EncodedSide:
    """One side of a corpus.

    ``tokens`` unsigned ``[N]``, perhaps memory-mapped; ``lengths`` int32 ``[P]``
    counts END; ``starts`` int64 ``[P]`` says where each sentence begins.
    ``mapping`` is what maps the tokens, where they are.
    """

    tokens: Integers
    lengths: NDArray[np.int32]
    starts: NDArray[np.int64]
    mapping: mmap.mmap | None = None

    @classmethod
    def of(
        cls, tokens: Integers, lengths: NDArray[np.int32], mapping: mmap.mmap | None = None
    ) -> EncodedSide:
        """Lay the sentences one after another."""
        ends = np.cumsum(lengths, dtype=np.int64)
        return cls(tokens, lengths, ends - lengths, mapping)

    def release(self) -> None:
        """Give mapped pages back to the system; they are read again when needed."""
        if self.mapping is not None and hasattr(mmap, "MADV_DONTNEED"):
            self.mapping.madvise(mmap.MADV_DONTNEED)

    def row(self, index: int) -> list[int]:
        """Tokens of one sentence without END."""
        start = int(self.starts[index])
        return [int(n) for n in self.tokens[start : start + int(self.lengths[index]) - 1]]


@dataclass(frozen=True, slots=True)
class TextPairs:
    """The pairs of one part of a corpus, and what encodes them."""

    pairs: Iterable[tuple[str, str]]
    source_tokenizer: Coder
    target_tokenizer: Coder

    @property
    def tokenizers(self) -> tuple[Coder, Coder]:
        """Of source and target."""
        return self.source_tokenizer, self.target_tokenizer


@dataclass(frozen=True, slots=True)
class EncodedCorpus:
    """All pairs of a data set as numbers.

    ``filtered`` says how many pairs were left out and ``truncated`` how many
    sentences were cut, by the option of the recipe that asked for it.
    ``part_sizes`` says how many pairs each part of a mixture has; they stand part after part.
    """

    source: EncodedSide
    target: EncodedSide
    filtered: dict[str, int] = field(default_factory=dict)
    truncated: dict[str, int] = field(default_factory=dict)
    part_sizes: tuple[int, ...] = ()
    _batches: Iterator[int] = field(default_factory=lambda: count(1), repr=False, compare=False)

    @classmethod
    def build(
        cls,
        pairs: Iterable[tuple[str, str]],
        source_tokenizer: Coder,
        target_tokenizer: Coder,
        config: DataConfig | None = None,
        folder: Path | None = None,
        fingerprint: str = "",
    ) -> EncodedCorpus:
        """Encode the pairs of one data set; see :meth:`build_mixture`."""
        only = TextPairs(pairs, source_tokenizer, target_tokenizer)
        return cls.build_mixture([only], config, folder, fingerprint)

    @classmethod
    def build_mixture(
        cls,
        parts: Sequence[TextPairs],
        config: DataConfig | None = None,
        folder: Path | None = None,
        fingerprint: str = "",
    ) -> EncodedCorpus:
        """Encode pairs in one pass, into memory or, with ``folder``, into mapped files.

        The tokenizers of all parts number their symbols alike.

        Lengths count END. With ``too_long: skip`` a pair longer than
        ``max_source_length`` or ``max_target_length`` is left out; with
        ``truncate`` the side is cut so that it fits with its END. A pair whose
        longer side is more than ``max_length_ratio`` times the other (after
        cutting) is left out in both cases. Each is counted, a pair that is
        left out under the first reason. Memory stays flat with a folder: only
        the lengths of all pairs are held. Raises DataError where the folder
        cannot be written.
        """
        limits = LengthLimits(config or DataConfig())
        sizes = [max(part.tokenizers[side].size for part in parts) for side in (0, 1)]
        types = [token_type(size) for size in sizes]
        if folder is None:
            held: list[list[Integers]] = [[], []]
            sinks = [pieces.append for pieces in held]
            lengths, counted = _encode(parts, limits, types, sinks)
            sides = [
                EncodedSide.of(np.concatenate([np.empty(0, kind), *pieces]), counts)
                for pieces, kind, counts in zip(held, types, lengths, strict=True)
            ]
            return cls(sides[0], sides[1], limits.filtered, limits.truncated, counted)

        def encode(sinks: Sequence[Sink]) -> tuple[list[NDArray[np.int32]], Counts]:
            lengths, counted = _encode(parts, limits, types, sinks)
            return lengths, Counts(limits.filtered, limits.truncated, counted)

        try:
            write_folder(folder, types, fingerprint, encode)
        except OSError as error:
            raise DataError(
                f"folder of the encoded corpus must be writable; {error.strerror}", file=folder
            ) from None
        corpus = cls.open(folder, fingerprint, sizes)
        if corpus is None:
            raise DataError("encoded corpus must stay as written; it was changed", file=folder)
        return corpus

    @classmethod
    def open(cls, folder: Path, fingerprint: str, sizes: Sequence[int]) -> EncodedCorpus | None:
        """Map a corpus that was built with the same fingerprint; None where there is none, or one
        that is damaged. ``sizes`` are the vocabularies' of source and target.
        """
        found = read_folder(folder, fingerprint, sizes)
        if found is None:
            return None
        sides, counts = found
        source, target = (EncodedSide.of(s.tokens, s.lengths, s.mapping) for s in sides)
        return cls(source, target, counts.filtered, counts.truncated, counts.parts)

    def __len__(self) -> int:
        return len(self.source.lengths)

    @property
    def source_lengths(self) -> NDArray[np.int32]:
        """Tokens of each source, END counted, ``[P]``."""
        return self.source.lengths

    @property
    def target_lengths(self) -> NDArray[np.int32]:
        """Tokens of each target, END counted, BEGIN not, ``[P]``."""
        return self.target.lengths

    def in_epoch(self, epoch: int) -> EncodedCorpus:
        """The same in every epoch."""
        return self

    def unchanged(self) -> EncodedCorpus:
        """As it is: nothing is augmented."""
        return self

    def batch(self, indices: Sequence[int] | Integers) -> Batch:
        """Some pairs, padded; no pairs give tensors of no rows and one column of tokens."""
        self._stay_flat()
        numbers = np.asarray(indices, dtype=np.int64)
        source, target = self.source, self.target
        padded, lengths = pad_target(target.tokens, target.starts[numbers], target.lengths[numbers])
        return Batch(
            pad_source(source.tokens, source.starts[numbers], source.lengths[numbers]),
            padded,
            lengths,
            tuple(numbers.tolist()),
        )

    def _stay_flat(self) -> None:
        """Random access touches the whole of the files in time; what is too large has to go."""
        mapped = self.source.tokens.nbytes + self.target.tokens.nbytes
        if mapped > RESIDENT and next(self._batches) % RELEASE == 0:
            self.source.release()
            self.target.release()

    def pair(self, index: int) -> tuple[list[int], list[int]]:
        """Source and target tokens of one pair, without BEGIN and END."""
        return self.source.row(index), self.target.row(index)


def _encode(
    parts: Sequence[TextPairs],
    limits: LengthLimits,
    types: Sequence[np.dtype[Any]],
    sinks: Sequence[Sink],
) -> tuple[list[NDArray[np.int32]], tuple[int, ...]]:
    """Send the tokens of each side to its sink, portion by portion.

    Gives all lengths of each side and how many pairs of each part were kept.
    """
    lengths: list[list[NDArray[np.int32]]] = [[], []]
    counted = []
    for part in parts:
        kept = 0
        for portion in portions(part.pairs):
            sides = _encoded(portion, part)
            stays, *fitting = limits.apply(*map(_lengths, sides))
            kept += int(stays.sum())
            for side, rows in enumerate(sides):
                counts = fitting[side][stays]
                lengths[side].append(counts.astype(np.int32))
                flat = chain.from_iterable(_fitted(rows, stays, fitting[side]))
                sinks[side](np.fromiter(flat, types[side], int(counts.sum())))
        counted.append(kept)
    joined = [np.concatenate([np.empty(0, np.int32), *pieces]) for pieces in lengths]
    return joined, tuple(counted)


def _encoded(portion: Sequence[tuple[str, str]], part: TextPairs) -> tuple[Rows, Rows]:
    """The rows of both sides, with END."""
    source, target = (
        tokenizer.encode_batch([pair[side] for pair in portion])
        for side, tokenizer in enumerate(part.tokenizers)
    )
    for row in chain(source, target):
        row.append(END)
    return source, target


def _lengths(rows: Rows) -> NDArray[np.int64]:
    return np.fromiter(map(len, rows), np.int64, len(rows))


def _fitted(rows: Rows, stays: NDArray[np.bool_], lengths: NDArray[np.int64]) -> Rows:
    """The rows that stay, each with its END, cut where it is longer than its length."""
    fitted = [row for row, stay in zip(rows, stays.tolist(), strict=True) if stay]
    for row, length in zip(fitted, lengths[stays].tolist(), strict=True):
        if len(row) > length:
            row[length - 1 :] = [END]
    return fitted
