"""Training recordings that are never twice the same, and yet the same on every run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from transduce.audio.log_mel import Samples
from transduce.audio.samples import resampled
from transduce.config.audio import AudioAugmentationConfig, AudioConfig

if TYPE_CHECKING:
    from transduce.interfaces import Frames  # whose module loads torch

__all__ = ["change_frames", "change_gains", "change_samples", "draw_gains", "draw_warp"]

_KNOTS = 5  # places at which a microphone's colour is drawn
_FAINTEST = 1e-3  # of the signal: the least noise that is drawn


def change_gains(
    pieces: Sequence[Samples], options: AudioAugmentationConfig, chance: np.random.Generator
) -> list[Samples]:
    """Each of the recordings that are joined louder or softer by decibels of its own.

    A gain common to all of a source would be taken out again by ``normalization``; between words
    that were recorded one by one it differs.
    """
    decibels = chance.uniform(-1, 1, len(pieces)) * options.gain
    return [
        piece * np.float32(10 ** (gain / 20))
        for piece, gain in zip(pieces, decibels.tolist(), strict=True)
    ]


def change_samples(samples: Samples, config: AudioConfig, chance: np.random.Generator) -> Samples:
    """Speed (Ko et al. 2015) and noise, in this order, float32 ``[N']``.

    Speed changes tempo and pitch together. Noise is between white and brown, its
    root mean square a share of the signal's, drawn evenly on a logarithmic scale; a quarter of
    the recordings stay without it.
    """
    options = config.augmentation
    speed, level, slope = chance.uniform(-1, 1, 3)  # always as many, whatever is asked for
    if options.speed:
        rate = config.sampling_rate
        samples = resampled(samples, rate * _factor(options.speed, speed), rate)
    if options.noise > _FAINTEST and level > -0.5:
        low, high = math.log(_FAINTEST), math.log(options.noise)
        share = math.exp(low + (level + 0.5) / 1.5 * (high - low))
        samples = samples + _noise(samples, share, slope + 1, chance)
    return samples


def draw_warp(options: AudioAugmentationConfig, chance: np.random.Generator) -> float:
    """How far all frequencies are stretched (Jaitly & Hinton 2013): another vocal tract."""
    return _factor(options.warp, float(chance.uniform(-1, 1)))


def draw_gains(
    options: AudioAugmentationConfig, bins: int, chance: np.random.Generator
) -> NDArray[np.float32] | None:
    """Of each band's energy ``[F]``: decibels drawn at a few places, a line between these."""
    knots = chance.uniform(-1, 1, _KNOTS) * options.color
    if not options.color:
        return None
    decibels = np.interp(np.linspace(0, _KNOTS - 1, bins), np.arange(_KNOTS), knots)
    gains: NDArray[np.float32] = (10 ** (decibels / 10)).astype(np.float32)
    return gains


def change_frames(
    frames: Frames, options: AudioAugmentationConfig, chance: np.random.Generator
) -> Frames:
    """SpecAugment's masks (Park et al. 2019, section 2): bands and stretches become the mean."""
    count, bins = frames.shape
    if not (options.time_masks or options.frequency_masks):
        return frames
    mean, masked = frames.mean(), frames.copy()
    for _ in range(options.frequency_masks):
        width = int(chance.integers(0, min(options.frequency_mask_bins, bins - 1) + 1))
        first = int(chance.integers(0, bins - width + 1))
        masked[:, first : first + width] = mean
    for _ in range(options.time_masks):
        # At most a fifth of a short recording: a word must stay to be heard.
        width = int(chance.integers(0, min(options.time_mask_frames, count // 5) + 1))
        first = int(chance.integers(0, count - width + 1))
        masked[first : first + width] = mean
    return masked


def _factor(largest: float, draw: float) -> float:
    """From ``1 / (1 + largest)`` to ``1 + largest``."""
    return math.exp(math.log1p(largest) * draw)


def _noise(samples: Samples, share: float, slope: float, chance: np.random.Generator) -> Samples:
    """Noise whose power falls with the frequency to the power of ``slope`` (0 white, 2 brown)."""
    count = max(2, 1 << (len(samples) - 1).bit_length())  # fast to transform
    numbers = chance.standard_normal(count + 2, dtype=np.float32)
    spectrum = numbers.view(np.complex64)
    spectrum *= np.arange(1, len(spectrum) + 1, dtype=np.float32) ** np.float32(-slope / 2)
    noise = np.fft.irfft(spectrum, count)[: len(samples)]
    size = float(np.sqrt(np.mean(np.square(noise)))) or 1.0
    loud = share * float(np.sqrt(np.mean(np.square(samples)))) / size
    scaled: Samples = (noise * loud).astype(np.float32)
    return scaled
