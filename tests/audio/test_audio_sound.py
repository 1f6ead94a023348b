"""Where something is heard: known sounds and silences, hiss, and recordings without silence."""

from __future__ import annotations

import numpy as np
import pytest

from transduce.audio.reader import AudioReader
from transduce.audio.sound import Segment, find_sound
from transduce.config.audio import AudioConfig

RATE = 8_000


def beeps(*stretches: tuple[float, float], hiss: float = 0.0) -> np.ndarray:
    """A tone of each loudness for so many seconds, one after another, and hiss over all."""
    parts = [
        loudness * np.sin(2 * np.pi * 500 * np.arange(round(seconds * RATE)) / RATE)
        for loudness, seconds in stretches
    ]
    samples = np.concatenate(parts)
    return (samples + hiss * np.random.default_rng(0).normal(size=len(samples))).astype("f4")


@pytest.mark.parametrize("hiss", [0.0, 1e-4, 5e-3])
def test_sound_is_found_between_silences(hiss: float) -> None:
    found = find_sound(beeps((0, 0.3), (0.5, 0.2), (0, 0.4), (0.2, 0.1), (0, 0.1), hiss=hiss), RATE)
    expected = np.repeat([False, True, False, True, False], [30, 20, 40, 10, 10])
    np.testing.assert_array_equal(found, expected)


def test_what_is_far_below_the_loudest_is_no_sound() -> None:
    found = find_sound(beeps((0, 0.2), (0.5, 0.2), (0.5 * 10 ** (-45 / 20), 0.2)), RATE)
    np.testing.assert_array_equal(found, np.repeat([False, True, False], 20))


@pytest.mark.parametrize("samples", [beeps((0.5, 1.0)), beeps((0.0, 1.0), hiss=0.1), np.zeros(90)])
def test_without_a_quiet_background_all_is_sound(samples: np.ndarray) -> None:
    found = find_sound(samples.astype("f4"), RATE)
    assert len(found) == -(-len(samples) // 80)
    assert found.all()


def test_parts_say_how_long_they_are_without_what_was_put_behind() -> None:
    reader = AudioReader(AudioConfig(sampling_rate=RATE, mel_bins=8, pad_to=2.0, cut_at=2.0))
    samples = beeps((0.5, 1.5), (0, 0.3), (0.5, 0.8))
    first, second = reader.segments(samples)
    assert [len(segment.frames) for segment in (first, second)] == [200, 200]
    np.testing.assert_array_equal(second.frames, list(reader.segments(samples))[1].frames)
    assert first.seconds(100) + second.seconds(100) == pytest.approx(2.6, abs=0.02)
    assert 1.5 < first.seconds(100) < 1.8
    assert Segment(first.frames).seconds(100) == 2.0  # where nothing else is known
