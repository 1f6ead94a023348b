"""From samples to log-mel spectrograms, defined here and nowhere else."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from transduce.config.audio import AudioConfig

if TYPE_CHECKING:
    from transduce.interfaces import Frames  # whose module loads torch

__all__ = ["Samples", "frame_count", "log_mel", "mel_edges", "mel_filters"]

Samples = NDArray[np.float32]  # [N], -1 to 1

_NATURAL = np.float32(np.log(10))
_LEAST = 1e-10  # energy: silence has a logarithm too
_BLOCK = 4096  # frames at a time, so that an hour needs no gigabytes


def frame_count(samples: int, config: AudioConfig) -> int:
    """Frames S of a recording of so many samples: one for each whole hop, at least one."""
    if config.pad_to is not None:
        samples = max(samples, round(config.pad_to * config.sampling_rate))
    return max(1, samples // config.hop_samples)


def log_mel(
    samples: Samples,
    config: AudioConfig,
    warp: float = 1.0,
    gains: NDArray[np.float32] | None = None,
) -> Frames:
    """The log-mel spectrogram, float32 ``[S, F]``, of samples float32 ``[N]``.

    Frame t looks through a Hann window centred on sample ``t · hop``; beyond both ends the
    recording is mirrored. Its energies ``|FFT|²`` are summed by triangular filters on Slaney's
    mel scale (:func:`mel_filters`). ``scale: whisper`` gives what Whisper reads (Radford et
    al. 2022, section 2.2): ``(max(log10 e, largest − range) + 4) / 4``, with the range of 8 that
    is the default. ``warp`` stretches the filters' frequencies (Jaitly & Hinton 2013, vocal
    tract length perturbation); ``gains`` ``[F]`` multiply the bands' energies.
    """
    if config.pad_to is not None:
        missing = round(config.pad_to * config.sampling_rate) - len(samples)
        samples = np.pad(samples, (0, max(0, missing)))
    filters = mel_filters(
        config.sampling_rate, config.window_samples, config.mel_bins, round(warp, 2)
    )
    bands = _bands(samples, config, filters)
    if gains is not None:
        bands *= gains
    frames = np.log10(np.maximum(bands, _LEAST))
    frames = np.maximum(frames, frames.max() - config.range)
    frames = (frames + 4.0) / 4.0 if config.scale == "whisper" else frames * _NATURAL
    if config.normalization != "none":
        frames = _normalized(frames, None if config.normalization == "recording" else 0)
    return np.ascontiguousarray(frames, dtype=np.float32)


@lru_cache(maxsize=64)
def mel_filters(
    sampling_rate: int, window: int, bins: int, warp: float = 1.0
) -> NDArray[np.float32]:
    """Triangles ``[window // 2 + 1, F]`` from 0 hertz to half the rate, each of area one.

    Their corners are equally far apart on Slaney's mel scale: linear below 1,000 hertz (three
    mels are 200 hertz), logarithmic above (27 mels are a factor of 6.4).
    """
    highest = sampling_rate / 2
    corners = _hertz(np.linspace(0, _mel(highest), bins + 2))
    corners = _warped(corners, warp, highest)
    frequencies = np.linspace(0, highest, window // 2 + 1)
    left, centre, right = corners[:-2], corners[1:-1], corners[2:]
    rising = (frequencies[:, None] - left) / (centre - left)
    falling = (right - frequencies[:, None]) / (right - centre)
    triangles = np.maximum(0, np.minimum(rising, falling))
    filters: NDArray[np.float32] = (triangles * (2 / (right - left))).astype(np.float32)
    return filters


def mel_edges(config: AudioConfig) -> NDArray[np.float64]:
    """Hertz between each two bands, and at both ends, ``[F + 1]``."""
    mels = np.linspace(0, _mel(config.sampling_rate / 2), config.features + 2)
    return _hertz((mels[:-1] + mels[1:]) / 2)


def _warped(corners: NDArray[np.float64], warp: float, highest: float) -> NDArray[np.float64]:
    """Times ``warp`` up to a corner frequency, then straight to the unchanged highest."""
    if warp == 1:
        return corners
    bend = 0.8 * highest * min(1.0, 1.0 / warp)
    below = corners * warp
    above = highest - (highest - warp * bend) * (highest - corners) / (highest - bend)
    return np.where(corners <= bend, below, above)


def _mel(hertz: float) -> float:
    if hertz < 1000:
        return hertz * 3 / 200
    return 15 + 27 * float(np.log(hertz / 1000)) / float(np.log(6.4))


def _hertz(mels: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(mels < 15, mels * 200 / 3, 1000 * np.exp((mels - 15) * np.log(6.4) / 27))


def _bands(
    samples: Samples, config: AudioConfig, filters: NDArray[np.float32]
) -> NDArray[np.float32]:
    """``|FFT|²`` of each window, summed by the filters, float32 ``[S, F]``."""
    window, hop = config.window_samples, config.hop_samples
    count = frame_count(len(samples), config)
    reach = window // 2
    # One sample has nothing to mirror, so it is repeated; so is what is shorter than a window.
    mode: Literal["reflect", "symmetric"] = "reflect" if len(samples) > reach else "symmetric"
    padded = np.pad(samples.astype(np.float32, copy=False), reach, mode=mode)
    hann = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)).astype(np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(padded, window)[::hop][:count]
    blocks = []
    for first in range(0, len(windows), _BLOCK):
        spectrum = np.fft.rfft(windows[first : first + _BLOCK] * hann, axis=1)
        energies = spectrum.real**2 + spectrum.imag**2  # [some, window // 2 + 1]
        blocks.append(energies.astype(np.float32, copy=False) @ filters)
    return blocks[0] if len(blocks) == 1 else np.concatenate(blocks)


def _normalized(frames: NDArray[np.float32], axis: int | None) -> NDArray[np.float32]:
    mean = frames.mean(axis=axis, keepdims=True)
    deviation = frames.std(axis=axis, keepdims=True)
    normal: NDArray[np.float32] = (frames - mean) / np.maximum(deviation, np.float32(1e-4))
    return normal
