"""How recordings are read: the audio part of the config."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from transduce.config.base import PositiveInt, Section

__all__ = ["AudioAugmentationConfig", "AudioConfig"]

PositiveFloat = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]


class AudioAugmentationConfig(Section):
    """What training recordings may differ by, each time anew. All zero: nothing."""

    speed: Annotated[float, Field(ge=0, le=0.5)] = 0.0  # 0.1: 1/1.1 to 1.1 times as fast and high
    warp: Annotated[float, Field(ge=0, le=0.5)] = 0.0  # the same of formants: vocal tract length
    gain: NonNegative = 0.0  # decibels, up or down; of each recording where several are joined
    color: NonNegative = 0.0  # decibels, of bands: another microphone
    noise: NonNegative = 0.0  # of the signal's root mean square, at most; white to brown
    time_masks: Annotated[int, Field(ge=0)] = 0  # SpecAugment (Park et al. 2019)
    time_mask_frames: PositiveInt = 10  # at most
    frequency_masks: Annotated[int, Field(ge=0)] = 0
    frequency_mask_bins: PositiveInt = 8  # at most

    @property
    def active(self) -> bool:
        """Whether anything changes."""
        changes = (self.speed, self.warp, self.gain, self.color, self.noise)
        return any((*changes, self.time_masks, self.frequency_masks))


class AudioConfig(Section):
    """From a recording's file to frames of ``mel_bins`` numbers, ``1 / hop`` of them a second."""

    kind: Literal["audio"] = "audio"
    sampling_rate: PositiveInt = 16_000  # hertz; other recordings are resampled
    window: PositiveFloat = 0.025  # seconds that a frame looks at
    hop: PositiveFloat = 0.01  # seconds from one frame to the next
    mel_bins: PositiveInt = 80
    # whisper: log10, at most ``range`` below the largest, (x + 4) / 4. natural: ln, likewise.
    scale: Literal["whisper", "natural"] = "whisper"
    range: PositiveFloat = 8.0  # powers of ten of energy; less hides what noise a microphone has
    # Mean 0 and variance 1, of a recording's numbers together or of each bin's.
    normalization: Literal["none", "recording", "bin"] = "none"
    pad_to: PositiveFloat | None = None  # seconds: silence follows shorter recordings
    # Seconds: what is longer is predicted in parts, cut where it is quiet, and their texts joined.
    cut_at: PositiveFloat | None = None
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
