"""Where in a recording something is to be heard, so that no word is said in its silence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from transduce.audio.log_mel import Samples

if TYPE_CHECKING:
    from transduce.interfaces import Frames  # whose module loads torch

__all__ = ["SOUND_SECONDS", "Segment", "find_sound"]

SOUND_SECONDS = 0.01  # that each number of ``find_sound`` stands for
_QUIET = 0.05  # of a recording's stretches are as quiet as its background
_SHARE = 0.25  # of the way from the background to the loudest: what is louder is heard
_DEEPEST = 40.0  # decibels below the loudest: what is quieter is not
_CLEAR = 20.0  # decibels from background to loudest, without which nothing is held for silence


@dataclass(frozen=True, slots=True)
class Segment:
    """Frames ``[S, F]`` of a recording or of a stretch of it, with silence that was put behind.

    ``sound`` bool ``[n]`` covers what was recorded: true where something is heard; None where that
    is not known.
    """

    frames: Frames
    sound: NDArray[np.bool_] | None = None

    def begin(self, longest: int) -> Segment:
        """At most so many frames of it."""
        if len(self.frames) <= longest:
            return self
        kept = longest / len(self.frames)
        sound = None if self.sound is None else self.sound[: max(1, round(kept * len(self.sound)))]
        return Segment(self.frames[:longest], sound)

    def seconds(self, frames_a_second: float) -> float:
        """How long the recording is, as far as that is known."""
        if self.sound is None:
            return len(self.frames) / frames_a_second
        return len(self.sound) * SOUND_SECONDS


def find_sound(samples: Samples, sampling_rate: int) -> NDArray[np.bool_]:
    """For each hundredth of a second of samples ``[N]`` whether it is louder than the background.

    The background is the twentieth quietest level. Where it is nearly as loud as all the rest,
    everything is sound.
    """
    size = max(1, round(SOUND_SECONDS * sampling_rate))
    count = -(-len(samples) // size)
    padded = np.zeros(count * size, dtype=np.float64)
    padded[: len(samples)] = samples
    energies = np.square(padded).reshape(count, size).mean(axis=1)
    levels = 10 * np.log10(np.maximum(energies, 1e-12))
    background, loudest = np.quantile(levels, _QUIET), levels.max()
    if loudest - background < _CLEAR:
        return np.ones(count, dtype=bool)
    least = max(background + _SHARE * (loudest - background), loudest - _DEEPEST)
    sound: NDArray[np.bool_] = levels > least
    return sound
