"""Log-mel spectrograms against Whisper's published extractor and against the equations."""

from __future__ import annotations

import numpy as np
import pytest

from transduce.audio.log_mel import frame_count, log_mel, mel_filters
from transduce.config.audio import AudioConfig


def speech(seconds: float, rate: int = 16_000, seed: int = 0) -> np.ndarray:
    """A gliding tone with overtones and noise."""
    chance = np.random.default_rng(seed)
    time = np.arange(round(seconds * rate)) / rate
    phase = 2 * np.pi * (150 * time + 40 * np.sin(2 * time))
    tones = sum(np.sin(k * phase) / k for k in range(1, 9))
    return (0.2 * tones + 0.01 * chance.standard_normal(len(time))).astype(np.float32)


@pytest.mark.parametrize("seconds", [0.5, 2.0, 31.7])
@pytest.mark.parametrize("bins", [80, 128])
def test_whisper_scale_is_that_of_transformers(seconds: float, bins: int) -> None:
    transformers = pytest.importorskip("transformers")
    extractor = transformers.WhisperFeatureExtractor(feature_size=bins)
    samples = speech(seconds)
    theirs = extractor(
        samples, sampling_rate=16_000, padding="do_not_pad", truncation=False, return_tensors="np"
    )["input_features"][0].T
    ours = log_mel(samples, AudioConfig(mel_bins=bins))
    assert ours.dtype == np.float32
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours, theirs, atol=2e-4)


def test_padded_to_thirty_seconds_as_whisper_pads() -> None:
    transformers = pytest.importorskip("transformers")
    samples = speech(3.3)
    theirs = transformers.WhisperFeatureExtractor()(
        samples, sampling_rate=16_000, return_tensors="np"
    )["input_features"][0].T
    ours = log_mel(samples, AudioConfig(pad_to=30))
    assert ours.shape == (3000, 80)
    np.testing.assert_allclose(ours, theirs, atol=2e-4)


@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050])
def test_natural_scale_by_the_equations(rate: int) -> None:
    config = AudioConfig(sampling_rate=rate, scale="natural", mel_bins=20)
    samples = speech(0.3, rate)
    window, hop = config.window_samples, config.hop_samples
    reach = window // 2
    padded = np.pad(samples.astype(np.float64), reach, mode="reflect")
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)
    filters = mel_filters(rate, window, 20).astype(np.float64)
    place = np.arange(window)
    ours = log_mel(samples, config)
    assert len(ours) == len(samples) // hop
    for t in range(len(ours)):
        seen = padded[t * hop : t * hop + window] * hann
        energies = np.array(
            [
                abs((seen * np.exp(-2j * np.pi * k * place / window)).sum()) ** 2
                for k in range(window // 2 + 1)
            ]
        )
        expected = np.log(np.maximum(energies @ filters, 1e-10))
        np.testing.assert_allclose(ours[t], expected, atol=2e-3)


def test_a_tone_stands_in_the_bin_of_its_frequency() -> None:
    config = AudioConfig(scale="natural")
    tone = np.sin(2 * np.pi * 1000 * np.arange(16_000) / 16_000).astype(np.float32)
    loudest = log_mel(tone, config).mean(0).argmax()
    highest_filter = mel_filters(16_000, 400, 80)[:, loudest].argmax()
    assert abs(highest_filter * 40 - 1000) <= 40
    # Warped by 1.2 a filter looks at what lies 1.2 times as high.
    assert log_mel(tone, config, 1.2).mean(0).argmax() < loudest


def test_normalization() -> None:
    samples = speech(1.0)
    whole = log_mel(samples, AudioConfig(normalization="recording"))
    assert abs(whole.mean()) < 1e-4
    assert abs(whole.std() - 1) < 1e-3
    bins = log_mel(samples, AudioConfig(normalization="bin"))
    np.testing.assert_allclose(bins.mean(0), 0, atol=1e-4)
    np.testing.assert_allclose(bins.std(0), 1, atol=1e-2)
    np.testing.assert_allclose(
        log_mel(0.1 * samples, AudioConfig(normalization="bin", scale="natural")),
        log_mel(samples, AudioConfig(normalization="bin", scale="natural")),
        atol=2e-3,
    )


@pytest.mark.parametrize("count", [1, 2, 79, 80, 159, 160, 161, 200, 201, 399, 401])
def test_any_number_of_samples(count: int) -> None:
    frames = log_mel(speech(1.0)[:count], AudioConfig())
    assert frames.shape == (max(1, count // 160), 80)
    assert len(frames) == frame_count(count, AudioConfig())
    assert np.isfinite(frames).all()


@pytest.mark.parametrize("warp", [0.7, 0.9, 1.0, 1.1, 1.4])
def test_warped_filters_stay_filters(warp: float) -> None:
    filters = mel_filters(16_000, 400, 40, warp)
    assert (filters >= 0).all()
    assert (filters.max(0) > 0).all()
    peaks = filters.argmax(0)
    assert (np.diff(peaks) >= 0).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hop": 1e-6}, "hop must be at least one sample"),
        ({"window": 0.005}, "window must be at least hop"),
        ({"sampling_rate": 0}, "greater than or equal to 1"),
    ],
)
def test_options_that_cannot_be(options: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        AudioConfig(**options)
