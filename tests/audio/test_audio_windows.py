from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transduce.audio.quiet_cuts import cut_where_quiet
from transduce.audio.reader import AudioReader
from transduce.config.audio import AudioConfig

RATE = 1000


def noise(seconds: float) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    return np.random.default_rng(0).normal(size=round(seconds * RATE)).astype(np.float32)


@given(
    seconds=st.floats(0.001, 20), longest=st.floats(0.05, 7), rate=st.sampled_from([RATE, 16_000])
)
def test_nothing_is_left_out_and_no_part_is_too_long(
    seconds: float, longest: float, rate: int
) -> None:
    samples = np.random.default_rng(1).normal(size=max(1, round(seconds * rate / 16)))
    samples = samples.astype(np.float32)
    windows = cut_where_quiet(samples, rate, longest)
    assert np.array_equal(np.concatenate(windows), samples)
    assert all(0 < len(window) <= round(longest * rate) for window in windows)
    if len(windows) > 1:
        assert all(len(window) >= 0.6 * round(longest * rate) for window in windows[:-1])


def test_a_short_recording_is_one_window() -> None:
    samples = noise(3)
    assert [len(window) for window in cut_where_quiet(samples, RATE, 3)] == [len(samples)]


@pytest.mark.parametrize("pause", [2.2, 2.5, 2.7])
def test_parts_end_in_pauses(pause: float) -> None:
    samples = noise(5)
    samples[round(pause * RATE) : round((pause + 0.25) * RATE)] *= 0.01
    first, second = cut_where_quiet(samples, RATE, 3)
    assert pause < len(first) / RATE < pause + 0.25
    assert len(second) == len(samples) - len(first)


def test_of_two_pauses_the_quieter_counts_and_silence_is_cut_late() -> None:
    samples = noise(5)
    samples[2100:2350] *= 0.01
    samples[2600:2850] *= 0.1
    assert 2100 < len(cut_where_quiet(samples, RATE, 3)[0]) < 2350
    silent = np.zeros(5000, np.float32)
    assert len(cut_where_quiet(silent, RATE, 3)[0]) == 2900


def test_a_reader_gives_the_parts_that_its_config_asks_for() -> None:
    samples = noise(40)  # at 16,000 hertz: 2.5 seconds
    whole = AudioReader(AudioConfig())
    assert [len(each.frames) for each in whole.segments(samples)] == [250]
    cutting = AudioReader(AudioConfig(cut_at=1.0, pad_to=1.0))
    windows = [each.frames for each in cutting.segments(samples)]
    assert len(windows) == len(cut_where_quiet(samples, 16_000, 1.0)) > 2
    assert {window.shape for window in windows} == {(100, 80)}
    assert np.array_equal(windows[0], cutting.read(cut_where_quiet(samples, 16_000, 1.0)[0]))


def test_cut_at_must_leave_room_for_words() -> None:
    with pytest.raises(ValueError, match=r"cut_at must be at least 1 second; got 0\.5"):
        AudioConfig(cut_at=0.5)
