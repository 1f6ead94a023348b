"""When each word of an output was said: read off the decoder's attention over a recording."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from transduce.audio.sound import SOUND_SECONDS

__all__ = ["Word", "stretches", "timed_words"]

_SEEN = 0.1  # of a stretch's largest weight: what is less at its ends is silence


@dataclass(frozen=True)
class Word:
    """A word of an output and when it begins and ends, in seconds."""

    text: str
    start: float
    end: float


def stretches(weights: NDArray[np.float32]) -> list[tuple[int, int]]:
    """For each of T tokens the positions ``start`` to ``end`` (exclusive) that are its own.

    Of all ways to cut S positions into T stretches in the tokens' order, some perhaps empty,
    the one that holds most of the attention ``weights`` ``[T, S]``; a dynamic programme over
    the tokens (Sakoe & Chiba 1978 for speech; weights in place of distances).
    """
    tokens, positions = weights.shape
    summed = np.concatenate([np.zeros((tokens, 1)), weights.cumsum(1, dtype=np.float64)], axis=1)
    best = np.full(positions + 1, -np.inf)
    best[0] = 0.0  # nothing is given away before the first token
    begins = np.empty((tokens, positions + 1), dtype=np.int64)
    for token in range(tokens):
        gain = best - summed[token]
        running = np.maximum.accumulate(gain)
        # Where the largest so far stands: the first place that reaches it.
        begins[token] = np.maximum.accumulate(
            np.where(gain == running, np.arange(positions + 1), 0)
        )
        best = summed[token] + running
    found = []
    end = positions
    for token in reversed(range(tokens)):
        start = int(begins[token, end])
        found.append((start, end))
        end = start
    return found[::-1]


def timed_words(
    weights: NDArray[np.float32],
    tokens: Sequence[int],
    decode: Callable[[Sequence[int]], str],
    seconds: float,
    sound: NDArray[np.bool_] | None = None,
) -> tuple[Word, ...]:
    """The words of ``tokens``, END not among them, by attention ``[T + 1, S]`` over ``seconds``.

    The last row is END's. A token belongs to the word that the text has got to with it; a
    punctuation mark, which nobody says, has its stretch for itself where its word has other
    tokens. Where ``sound`` (``find_sound``) is known a word begins and ends with it.
    """
    scale = seconds / weights.shape[1]
    bounds = _bounds(weights, tokens, decode)
    words = []
    place = 0.0
    for number, text in enumerate(decode(tokens).split()):
        first, last = bounds.get(number, (round(place / scale), round(place / scale)))
        place = last * scale
        start, end = _within_sound(first * scale, place, sound)
        words.append(Word(text, round(start, 3), round(end, 3)))
    return tuple(words)


def _bounds(
    weights: NDArray[np.float32], tokens: Sequence[int], decode: Callable[[Sequence[int]], str]
) -> dict[int, tuple[int, int]]:
    """The first position of each word, by its number, and the one behind its last."""
    said: dict[int, tuple[int, int]] = {}
    marks: dict[int, tuple[int, int]] = {}
    for number, (start, end) in enumerate(stretches(weights)[: len(tokens)]):
        if start == end:
            continue
        own = weights[number, start:end]
        seen = np.flatnonzero(own >= _SEEN * own.max())
        first, last = start + int(seen[0]), start + int(seen[-1]) + 1
        word = max(0, len(decode(tokens[: number + 1]).split()) - 1)
        bounds = marks if _is_mark(decode([tokens[number]])) else said
        before = bounds.get(word, (first, last))
        bounds[word] = min(before[0], first), max(before[1], last)
    return marks | said


def _is_mark(text: str) -> bool:
    """Whether a token is punctuation and nothing else."""
    own = text.strip()
    return bool(own) and all(unicodedata.category(letter).startswith("P") for letter in own)


def _within_sound(start: float, end: float, sound: NDArray[np.bool_] | None) -> tuple[float, float]:
    """The seconds from the first sound to the last between ``start`` and ``end``; else these."""
    if sound is None:
        return start, end
    first = round(start / SOUND_SECONDS)
    loud = np.flatnonzero(sound[first : round(end / SOUND_SECONDS)])
    if not len(loud):
        return start, min(end, max(start, len(sound) * SOUND_SECONDS))
    return (first + int(loud[0])) * SOUND_SECONDS, (first + int(loud[-1]) + 1) * SOUND_SECONDS
