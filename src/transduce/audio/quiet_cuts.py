"""Long recordings in windows, cut where they are quietest, so that no word is cut."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from transduce.audio.log_mel import Samples

__all__ = ["cut_where_quiet", "windows"]

_BLOCK = 0.02  # seconds whose energy is one number
_QUIET = 10  # blocks in a line that have to be quiet together: between two words
_LATEST = 1 / 3  # of a window is looked through, from its end


def cut_where_quiet(samples: Samples, sampling_rate: int, longest: float) -> list[Samples]:
    """Samples ``[N]`` in windows of at most ``longest`` seconds, in order; nothing is left out.

    Each window but the last ends in the middle of the fifth of a second that holds the least energy
    of its last third; of equally quiet places the latest.
    """
    return list(windows([samples], sampling_rate, longest))


def windows(blocks: Iterable[Samples], sampling_rate: int, longest: float) -> Iterator[Samples]:
    """The same of samples that come block by block: hardly more than a window is held at once."""
    block, most = max(1, round(_BLOCK * sampling_rate)), round(longest * sampling_rate)
    held = np.empty(0, np.float32)
    for samples in blocks:
        held = np.concatenate([held, samples]) if len(held) else samples
        while len(held) > most:
            first = most - round(most * _LATEST)
            end = first + _quietest(held[first:most], block)
            yield held[:end]
            held = held[end:]
    yield held


def _quietest(samples: Samples, block: int) -> int:
    """The middle of the quietest stretch, at least one sample in."""
    count = len(samples) // block
    if count < 2:
        return len(samples)
    energies = np.square(samples[: count * block], dtype=np.float64).reshape(count, block).sum(1)
    width = min(_QUIET, count)
    totals = np.convolve(energies, np.ones(width), mode="valid")
    place = len(totals) - 1 - int(totals[::-1].argmin())
    return max(1, place * block + width * block // 2)
