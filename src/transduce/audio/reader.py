"""From a recording's path, or several joined, to frames."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from transduce.audio.augmentation import (
    change_frames,
    change_gains,
    change_samples,
    draw_gains,
    draw_warp,
)
from transduce.audio.log_mel import Samples, frame_count, log_mel
from transduce.audio.quiet_cuts import windows
from transduce.audio.samples import (
    array_samples,
    not_too_loud,
    read_samples,
    sample_count,
    stream_samples,
)
from transduce.audio.sound import Segment, find_sound
from transduce.config.audio import AudioConfig
from transduce.errors import DataError

if TYPE_CHECKING:
    from transduce.interfaces import Frames  # whose module loads torch

__all__ = ["AudioReader", "Recording"]

# A path, a file's content, samples at the config's rate, or samples and their rate; other pairs
# (sources with two inputs) are refused.
Recording = str | Path | bytes | NDArray[Any] | tuple[Any, Any]

_JOIN = "|"
_MOST_JOINED = 1000
_LONGEST_CUT = 1440.0  # minutes of a recording that is read window by window


class AudioReader:
    """Recordings as log-mel frames.

    A source is a path, or several joined as ``one.wav|0.3|two.wav``: read one after another, a
    number between two being seconds of silence. In memory it is an array of samples at the
    config's sampling rate, a pair of an array and its rate, or the bytes of a file.
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
        rate, most = self.config.sampling_rate, self._most_minutes
        samples = 0
        for entry in self._joined(source):
            samples += entry if isinstance(entry, int) else self._count(entry, rate, most)
            self._refuse_long(samples, source, most)
        return frame_count(samples, self.config)

    @property
    def _most_minutes(self) -> float:
        """Of a recording that need not be held as a whole."""
        return self.config.max_minutes if self.config.cut_at is None else _LONGEST_CUT

    def _refuse_long(self, samples: int, source: str, most: float) -> None:
        if samples > most * 60 * self.config.sampling_rate:
            raise DataError(
                f"recordings that are joined must have at most {most:g} minutes together "
                f"(data.input.max_minutes); got more in {source[:80]!r}"
            )

    def read(self, source: Recording) -> Frames:
        """Float32 ``[S, F]``. Raises DataError naming the file and what is wrong."""
        return log_mel(self.samples(source), self.config)

    def segments(self, source: Recording, *, sound: bool = True) -> Iterator[Segment]:
        """The same in segments of at most ``cut_at`` seconds, where the config has that.

        One by one, with where in them something is heard unless nobody asks.
        """
        rate = self.config.sampling_rate
        for samples in self._cut(source):
            loud = find_sound(samples, rate) if sound else None
            yield Segment(log_mel(samples, self.config), loud)

    def _cut(self, source: Recording) -> Iterable[Samples]:
        longest = self.config.cut_at
        if longest is None:
            return [self.samples(source)]
        is_file = isinstance(source, str | Path)
        blocks = self._stream(str(source)) if is_file else [self.samples(source)]
        return map(not_too_loud, windows(blocks, self.config.sampling_rate, longest))

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

    def samples(self, source: Recording) -> Samples:
        """Float32 ``[N]`` at the config's rate."""
        rate = self.config.sampling_rate
        if isinstance(source, tuple):
            if isinstance(source[1], str | bytes | Path):
                raise DataError(
                    "recording must be one input for this model; got two, a pair with "
                    f"{str(source[1])[:80]!r}"
                )
            return array_samples(source[0], source[1], rate)
        if isinstance(source, bytes):
            return read_samples(source, rate, self.config.max_minutes)
        if hasattr(source, "__array__"):  # of NumPy, torch or another
            return array_samples(source, rate, rate)
        if not isinstance(source, str | Path):
            raise DataError(
                f"recording must be a path, samples or bytes of a file; got {type(source).__name__}"
            )
        pieces = self._pieces(str(source))
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)

    def seen(self, source: Recording) -> None:
        """None: a recording is not seen."""

    def located(self, source: str, folder: Path) -> str:
        """The source with its relative paths taken from ``folder``."""
        entries = source.split(_JOIN)
        return _JOIN.join(
            entry if _seconds(entry) is not None else str(folder / entry) for entry in entries
        )

    def _pieces(self, source: str) -> list[Samples]:
        """What is joined, each by itself: recordings and silences."""
        rate, most = self.config.sampling_rate, self.config.max_minutes
        pieces: list[Samples] = []
        samples = 0
        for entry in self._joined(source):
            samples += entry if isinstance(entry, int) else 0
            self._refuse_long(samples, source, most)
            if isinstance(entry, int):
                pieces.append(np.zeros(entry, np.float32))
            else:
                pieces.append(read_samples(entry, rate, most))
                samples += len(pieces[-1])
        self._refuse_long(samples, source, most)
        return pieces

    def _stream(self, source: str) -> Iterator[Samples]:
        """All that is joined, block by block."""
        rate = self.config.sampling_rate
        for entry in self._joined(source):
            if isinstance(entry, int):
                yield np.zeros(entry, np.float32)
            else:
                yield from stream_samples(entry, rate, _LONGEST_CUT)

    def _joined(self, source: str) -> Sequence[str | int]:
        """Paths, and samples of silence."""
        if _JOIN not in source:
            return [source]
        if source.count(_JOIN) >= _MOST_JOINED:
            raise DataError(
                f"source must be at most {_MOST_JOINED:,} recordings and silences; got more in "
                f"{source[:80]!r}"
            )
        entries: list[str | int] = []
        for entry in source.split(_JOIN):
            seconds = _seconds(entry)
            entries.append(entry if seconds is None else round(seconds * self.config.sampling_rate))
        if not any(isinstance(entry, str) and entry for entry in entries) or "" in entries:
            raise DataError(f"source must be recordings joined by {_JOIN}; got {source!r}")
        return entries


def _seconds(text: str) -> float | None:
    """What an entry of a joined source says of silence; None where it is a path."""
    try:
        seconds = float(text)
    except ValueError:
        return None
    return seconds if 0 <= seconds < 3600 else None
