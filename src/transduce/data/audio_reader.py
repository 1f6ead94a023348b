"""From a recording's path, or several joined, to frames."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transduce.config.audio import AudioConfig
from transduce.data.audio import array_samples, read_samples, sample_count
from transduce.data.audio_augmentation import (
    change_frames,
    change_gains,
    change_samples,
    draw_gains,
    draw_warp,
)
from transduce.data.audio_sound import HeardPart, find_sound
from transduce.data.audio_windows import cut_where_quiet
from transduce.data.log_mel import Frames, Samples, frame_count, log_mel
from transduce.errors import DataError

__all__ = ["AudioReader"]

_JOIN = "|"


class AudioReader:
    """Recordings as log-mel frames.

    A source is a path, or several joined as ``one.wav|0.3|two.wav``: read one after another, a
    number between two being seconds of silence. In memory it is an array of samples at the
    config's sampling rate, or a pair of an array and its rate.
    """

    suffixes: tuple[str, ...] = (
        ".wav",
        ".flac",
        ".ogg",
        ".oga",
        ".opus",
        ".mp3",
        ".aiff",
        ".aif",
        ".au",
    )

    def __init__(self, config: AudioConfig) -> None:
        self.config = config
        self.features = config.features
        self.frames_a_second: float | None = config.sampling_rate / config.hop_samples
        self._count = lru_cache(maxsize=1 << 16)(sample_count)  # a clip may stand in many lines

    def length(self, source: str) -> int:
        """Frames, by the files' headers. Raises DataError."""
        rate = self.config.sampling_rate
        samples = sum(
            part if isinstance(part, int) else self._count(part, rate)
            for part in self._parts(source)
        )
        return frame_count(samples, self.config)

    def read(self, source: str | Path | NDArray[Any] | tuple[NDArray[Any], int]) -> Frames:
        """Float32 ``[S, F]``. Raises DataError naming the file and what is wrong."""
        return log_mel(self.samples(source), self.config)

    def parts(self, source: str | Path | NDArray[Any] | tuple[NDArray[Any], int]) -> list[Frames]:
        """The same in parts of at most ``cut_at`` seconds, where the config has that."""
        return [log_mel(part, self.config) for part in self._cut(source)]

    def heard_parts(
        self, source: str | Path | NDArray[Any] | tuple[NDArray[Any], int]
    ) -> list[HeardPart]:
        """The parts with where in them something is heard."""
        rate = self.config.sampling_rate
        cut = self._cut(source)
        return [HeardPart(log_mel(part, self.config), find_sound(part, rate)) for part in cut]

    def _cut(
        self, source: str | Path | NDArray[Any] | tuple[NDArray[Any], int]
    ) -> Sequence[Samples]:
        samples, longest = self.samples(source), self.config.cut_at
        if longest is None:
            return [samples]
        return cut_where_quiet(samples, self.config.sampling_rate, longest)

    def augmented(self, source: str, seed: int, epoch: int, index: int) -> Frames:
        """The same, changed as ``augmentation`` says."""
        options = self.config.augmentation
        if not options.active:
            return self.read(source)
        chance = np.random.Generator(np.random.PCG64([seed % 2**64, epoch, index]))
        pieces = change_gains(self._pieces(source), options, chance)
        samples = change_samples(np.concatenate(pieces), self.config, chance)
        warp, gains = draw_warp(options, chance), draw_gains(options, self.features, chance)
        frames = log_mel(samples, self.config, warp, gains)
        return change_frames(frames, options, chance)

    def samples(self, source: str | Path | NDArray[Any] | tuple[NDArray[Any], int]) -> Samples:
        """Float32 ``[N]`` at the config's rate."""
        rate = self.config.sampling_rate
        if isinstance(source, tuple):
            return array_samples(source[0], source[1], rate)
        if isinstance(source, np.ndarray):
            return array_samples(source, rate, rate)
        pieces = self._pieces(str(source))
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)

    def located(self, source: str, folder: Path) -> str:
        """The source with its relative paths taken from ``folder``."""
        parts = source.split(_JOIN)
        return _JOIN.join(
            part if _seconds(part) is not None else str(folder / part) for part in parts
        )

    def _pieces(self, source: str) -> list[Samples]:
        """What is joined, each by itself: recordings and silences."""
        rate = self.config.sampling_rate
        return [
            np.zeros(part, np.float32) if isinstance(part, int) else read_samples(part, rate)
            for part in self._parts(source)
        ]

    def _parts(self, source: str) -> Sequence[str | int]:
        """Paths, and samples of silence."""
        if _JOIN not in source:
            return [source]
        parts: list[str | int] = []
        for part in source.split(_JOIN):
            seconds = _seconds(part)
            parts.append(part if seconds is None else round(seconds * self.config.sampling_rate))
        if not any(isinstance(part, str) and part for part in parts) or "" in parts:
            raise DataError(f"source must be recordings joined by {_JOIN}; got {source!r}")
        return parts


def _seconds(text: str) -> float | None:
    """What a part of a joined source says of silence; None where it is a path."""
    try:
        seconds = float(text)
    except ValueError:
        return None
    return seconds if 0 <= seconds < 3600 else None
