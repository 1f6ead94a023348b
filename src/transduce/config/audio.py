"""How recordings are read: the audio section of the config."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import model_validator

from transduce.config.base import Bounds, Section

__all__ = ["AudioAugmentationConfig", "AudioConfig"]

_LARGEST_WINDOW = 16_384  # samples

Decibels = Annotated[float, Bounds(ge=0, le=100)]
Masks = Annotated[int, Bounds(ge=0, le=1000)]
MaskWidth = Annotated[int, Bounds(ge=1, le=10_000)]


class AudioAugmentationConfig(Section):
    """What training recordings may differ by, each time anew. All zero: nothing."""

    speed: Annotated[float, Bounds(ge=0, le=0.5)] = 0.0  # 0.1: 1/1.1 to 1.1 times as fast and high
    warp: Annotated[float, Bounds(ge=0, le=0.5)] = 0.0  # the same of formants: vocal tract length
    gain: Decibels = 0.0  # decibels, up or down; of each recording where several are joined
    color: Decibels = 0.0  # decibels, of bands: another microphone
    noise: Annotated[float, Bounds(ge=0, le=10)] = (
        0.0  # of the signal's root mean square, at most; white to brown
    )
    time_masks: Masks = 0  # SpecAugment (Park et al. 2019)
    time_mask_frames: MaskWidth = 10  # at most
    frequency_masks: Masks = 0
    frequency_mask_bins: MaskWidth = 8  # at most

    @property
    def active(self) -> bool:
        """Whether anything changes."""
        changes = (self.speed, self.warp, self.gain, self.color, self.noise)
        return any((*changes, self.time_masks, self.frequency_masks))


class AudioConfig(Section):
    """From a recording's file to frames of ``mel_bins`` numbers, ``1 / hop`` of them a second."""

    kind: Literal["audio"] = "audio"
    # Hertz; other recordings are resampled.
    sampling_rate: Annotated[int, Bounds(ge=1, le=768_000)] = 16_000
    window: Annotated[float, Bounds(gt=0, le=10)] = 0.025  # seconds that a frame looks at
    hop: Annotated[float, Bounds(gt=0, le=10)] = 0.01  # seconds from one frame to the next
    mel_bins: Annotated[int, Bounds(ge=1, le=512)] = 80
    # whisper: log10, at most ``range`` below the largest, (x + 4) / 4. natural: ln, likewise.
    scale: Literal["whisper", "natural"] = "whisper"
    # Powers of ten of energy; less hides what noise a microphone has.
    range: Annotated[float, Bounds(gt=0, le=100)] = 8.0
    # Mean 0 and variance 1, of a recording's numbers together or of each bin's.
    normalization: Literal["none", "recording", "bin"] = "none"
    # Seconds: silence follows shorter recordings.
    pad_to: Annotated[float, Bounds(gt=0, le=3600)] | None = None
    # Minutes that a recording may have; with ``cut_at`` no more are held at once, and one of up to
    # 24 hours is predicted.
    max_minutes: Annotated[float, Bounds(gt=0, le=1440)] = 30.0
    # Seconds: what is longer is predicted in segments, cut where it is quiet, their texts joined.
    cut_at: Annotated[float, Bounds(gt=0, le=3600)] | None = None
    augmentation: AudioAugmentationConfig = AudioAugmentationConfig()

    @model_validator(mode="after")
    def _fits(self) -> AudioConfig:
        if self.hop_samples < 1:
            raise ValueError(f"hop must be at least one sample; got {self.hop} seconds")
        if self.cut_at is not None and self.cut_at < 1:
            raise ValueError(f"cut_at must be at least 1 second; got {self.cut_at}")
        if self.window_samples < max(2, self.hop_samples):
            raise ValueError(
                f"window must be at least hop ({self.hop}) and two samples; got {self.window}"
            )
        if self.window_samples > _LARGEST_WINDOW:
            raise ValueError(
                f"window must be at most {_LARGEST_WINDOW:,} samples; got {self.window_samples:,} "
                f"({self.window} seconds)"
            )
        if self.pad_to is not None and self.pad_to > 60 * self.max_minutes:
            raise ValueError(
                f"pad_to must be at most max_minutes ({self.max_minutes:g}); got {self.pad_to} s"
            )
        return self

    @property
    def window_samples(self) -> int:
        """Samples that a frame looks at."""
        return round(self.window * self.sampling_rate)

    @property
    def hop_samples(self) -> int:
        """Samples from one frame to the next."""
        return round(self.hop * self.sampling_rate)

    @property
    def features(self) -> int:
        """Numbers a frame has."""
        return self.mel_bins
