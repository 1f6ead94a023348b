"""What is learned in the training benchmark: random sentences and words, or a parallel text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.train_protocol import FIRST, Case, Pairs
from transduce.batches.batching import Batches
from transduce.config import TokenizerConfig
from transduce.interfaces import Batch
from transduce.tokenization.tokenizer import Tokenizer

__all__ = ["CASES", "make_case"]

Integers = NDArray[np.integer[Any]]
Lists = list[list[int]]

BATCH_TOKENS = 4096
VOCABULARY = 8000
_SENTENCES = 30_000  # as many as Multi30k has
_WORDS = 8000
_LETTERS, _SOUNDS = 34, 66  # of the largest language with 8,000 words in SIGMORPHON 2021 task 1


@dataclass(frozen=True)
class Lengths:
    """Log-normal in the target, cut off at both ends; the source's follow with some noise."""

    mean: float
    deviation: float
    noise: float
    least: int
    most: int


# Fitted to Multi30k's German and English cut into 8,000 pieces, and to Hungarian words.
_CAPTION = Lengths(2.63, 0.35, 0.18, 3, 53)
_WORD = Lengths(1.91, 0.36, 0.11, 2, 20)


def make_case(name: str, steps: int | None, text: tuple[Path, Path] | None) -> Case:
    """A case by its name, with ``steps`` at a time if given, over ``text`` if that is given
    and the case is a Transformer's.
    """
    return CASES[name](name, steps, text)


# ---------------------------------------------------------------- cases


def _transformer(name: str, steps: int | None, text: tuple[Path, Path] | None) -> Case:
    """3 + 3 layers of width 256, a vocabulary of 8,000."""
    pairs, size = _encoded(*text) if text else (_random(_CAPTION, _SENTENCES, _sizes()), VOCABULARY)
    return Case(
        name=name,
        kind="transformer",
        layers=3,
        width=256,
        feedforward=1024,
        heads=4,
        dropout=0.1,
        label_smoothing=0.1,
        learning_rate=5e-4,
        sizes=(size, size),
        steps=steps or 6,
        batches=_by_tokens(pairs, BATCH_TOKENS, steps or 6),
    )


def _tiny(name: str, steps: int | None, text: tuple[Path, Path] | None) -> Case:
    """For trying the benchmark itself."""
    pairs = _random(_CAPTION, 500, (200, 200))
    return Case(
        name=name,
        kind="transformer",
        layers=1,
        width=64,
        feedforward=128,
        heads=2,
        dropout=0.1,
        label_smoothing=0.1,
        learning_rate=1e-3,
        sizes=(200, 200),
        steps=steps or 4,
        batches=_by_tokens(pairs, 512, steps or 4),
    )


def _recurrent(words: int, default_steps: int) -> Callable[..., Case]:
    def make(name: str, steps: int | None, text: tuple[Path, Path] | None) -> Case:
        sizes = (_LETTERS + FIRST, _SOUNDS + FIRST)
        return Case(
            name=name,
            kind="recurrent",
            layers=1,
            width=256,
            feedforward=0,
            heads=0,
            dropout=0.2,
            label_smoothing=0.1,
            learning_rate=1e-3,
            sizes=sizes,
            steps=steps or default_steps,
            batches=_by_count(_random(_WORD, _WORDS, sizes), words, steps or default_steps),
        )

    return make


CASES: dict[str, Callable[..., Case]] = {
    "transformer": _transformer,
    "recurrent, 32 words": _recurrent(32, 80),  # yoyodyne's default
    "recurrent, 256 words": _recurrent(256, 20),
    "tiny": _tiny,
}


# ---------------------------------------------------------------- pairs


def _sizes() -> tuple[int, int]:
    return VOCABULARY, VOCABULARY


def _random(lengths: Lengths, count: int, sizes: tuple[int, int]) -> Pairs:
    """Targets of symbols with Zipf's frequencies; each source spells its target in other symbols.

    So there is something to learn. Where a source is longer than its target it begins anew.
    """
    chance = np.random.default_rng(1)
    frequencies = 1 / (np.arange(sizes[1] - FIRST) + 3.0)
    frequencies /= frequencies.sum()
    other = chance.permutation(sizes[1] - FIRST) % (sizes[0] - FIRST)
    sources: Lists = []
    targets: Lists = []
    for _ in range(count):
        exact = chance.lognormal(lengths.mean, lengths.deviation)
        lengthened = exact * chance.lognormal(0.0, lengths.noise)
        target_length, source_length = (
            int(np.clip(round(n), lengths.least, lengths.most)) for n in (exact, lengthened)
        )
        target = chance.choice(len(frequencies), target_length, p=frequencies)
        targets.append((FIRST + target).tolist())
        sources.append((FIRST + np.resize(other[target], source_length)).tolist())
    return sources, targets


def _encoded(source: Path, target: Path) -> tuple[Pairs, int]:
    """Line for line, in pieces of one vocabulary for both; its size."""
    texts = [path.read_text(encoding="utf-8").splitlines() for path in (source, target)]
    if len(texts[0]) != len(texts[1]):
        raise SystemExit(
            f"--data must be two files of as many lines; got {len(texts[0])} and {len(texts[1])}"
        )
    config = TokenizerConfig(kind="bpe", vocabulary_size=VOCABULARY)
    tokenizer = Tokenizer.train(texts[0] + texts[1], config)
    return (tokenizer.encode_batch(texts[0]), tokenizer.encode_batch(texts[1])), tokenizer.size


# ---------------------------------------------------------------- batches


class _Corpus:
    """Lengths of the pairs, END counted."""

    def __init__(self, pairs: Pairs) -> None:
        self.source_lengths, self.target_lengths = (
            np.array([len(row) + 1 for row in rows]) for rows in pairs
        )

    def __len__(self) -> int:
        return len(self.target_lengths)

    def in_epoch(self, epoch: int) -> _Corpus:
        """The same in every epoch."""
        return self

    def batch(self, indices: Sequence[int] | Integers) -> Batch:
        """Never asked for: only the plan is used."""
        raise NotImplementedError


def _by_tokens(pairs: Pairs, tokens: int, count: int) -> list[Pairs]:
    """Our own batches of an epoch, some of them from the shortest to the longest sentences."""
    plan = Batches(_Corpus(pairs), tokens, seed=1).plan(0)
    return _spread([_chosen(pairs, plan[n]) for n in range(len(plan))], count)


def _by_count(pairs: Pairs, size: int, count: int) -> list[Pairs]:
    """Batches of pairs of like length, so many in each."""
    corpus = _Corpus(pairs)
    order = np.lexsort((corpus.source_lengths, corpus.target_lengths))
    whole = order[: len(order) // size * size]
    return _spread([_chosen(pairs, group) for group in whole.reshape(-1, size)], count)


def _chosen(pairs: Pairs, indices: Integers) -> Pairs:
    sources, targets = pairs
    return [sources[n] for n in indices], [targets[n] for n in indices]


def _spread(batches: list[Pairs], count: int) -> list[Pairs]:
    """``count`` batches (all where there are fewer) at equal distances by length, then shuffled."""
    batches = sorted(batches, key=lambda pairs: max(map(len, pairs[1])))
    count = min(count, len(batches))
    places = ((np.arange(count) + 0.5) * len(batches) / count).astype(int)
    return [batches[n] for n in np.random.default_rng(2).permutation(places)]
