"""Recordings: every format, rate and number of channels; what is broken is named."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from transduce.audio.samples import array_samples, read_samples, resampled, sample_count
from transduce.errors import DataError

soundfile = pytest.importorskip("soundfile")

RATE = 16_000


def tone(seconds: float = 0.5, rate: int = RATE, hertz: float = 440.0) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)).astype(
        np.float32
    )


def write(path: Path, samples: np.ndarray, rate: int = RATE, **options: str) -> Path:
    soundfile.write(path, samples, rate, **options)
    return path


@pytest.mark.parametrize(
    ("name", "closeness"), [("a.wav", 1e-4), ("a.flac", 1e-4), ("a.ogg", 0.05), ("a.mp3", 0.2)]
)
def test_formats(tmp_path: Path, name: str, closeness: float) -> None:
    path = write(tmp_path / name, tone())
    samples = read_samples(path, RATE)
    assert samples.dtype == np.float32
    assert abs(len(samples) - 8000) <= (0 if closeness < 0.1 else 2400)
    middle = slice(2000, 6000)
    assert np.sqrt(np.mean(samples[middle] ** 2)) == pytest.approx(0.5 / np.sqrt(2), rel=0.05)
    if closeness < 0.1:
        np.testing.assert_allclose(samples[middle], tone()[middle], atol=closeness)
    assert sample_count(path, RATE) == pytest.approx(len(samples), abs=2400)


@pytest.mark.parametrize("rate", [8_000, 11_025, 44_100, 48_000])
def test_rates_are_brought_to_one(tmp_path: Path, rate: int) -> None:
    path = write(tmp_path / "a.wav", tone(rate=rate), rate)
    samples = read_samples(path, RATE)
    assert abs(len(samples) - sample_count(path, RATE)) <= 1
    np.testing.assert_allclose(samples[1000:7000], tone()[1000:7000], atol=2e-3)


def test_channels_are_averaged(tmp_path: Path) -> None:
    both = np.stack([tone(), 3 * tone(hertz=880) / 5], axis=1)
    samples = read_samples(write(tmp_path / "a.wav", both, subtype="FLOAT"), RATE)
    np.testing.assert_allclose(samples, both.mean(1), atol=1e-6)


def test_arrays_are_as_files(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", tone(rate=8000), 8000, subtype="FLOAT")
    np.testing.assert_allclose(array_samples(tone(rate=8000), 8000, RATE), read_samples(path, RATE))
    integers = np.round(tone() * 32768).astype(np.int16)
    np.testing.assert_allclose(array_samples(integers, RATE, RATE), tone(), atol=1e-4)
    two = np.stack([tone(), -tone() / 2], axis=1)
    np.testing.assert_allclose(array_samples(two, RATE, RATE), tone() / 4, atol=1e-6)


def test_resampling_keeps_at_least_a_sample() -> None:
    assert len(resampled(np.ones(1, np.float32), 48_000, 8_000)) == 1


def test_broken_files_are_named(tmp_path: Path) -> None:
    def message(path: Path) -> str:
        with pytest.raises(DataError) as caught:
            read_samples(path, RATE)
        return str(caught.value)

    missing = tmp_path / "missing.wav"
    assert message(missing) == (
        f"{missing}: recording must be a readable file; got No such file or directory"
    )
    assert message(tmp_path).startswith(f"{tmp_path}: recording must be a readable file; got ")
    empty = tmp_path / "empty.wav"
    empty.touch()
    assert message(empty) == f"{empty}: recording must be an audio file; got an empty file"
    text = tmp_path / "text.wav"
    text.write_text("no sound at all")
    assert message(text).startswith(
        f"{text}: recording must be a whole WAV, FLAC, OGG or MP3 file; got: "
    )
    cut = tmp_path / "cut.flac"
    cut.write_bytes(write(tmp_path / "whole.flac", tone(2.0)).read_bytes()[:9000])
    assert "cut.flac" in message(cut)
    none = write(tmp_path / "none.wav", np.zeros(0, np.float32))
    assert message(none) == f"{none}: recording must hold samples; got none"
    silent = write(tmp_path / "silent.wav", np.zeros(800, np.float32))
    assert message(silent) == f"{silent}: recording must hold sound; got silence"
    broken = tone()
    broken[7] = np.nan
    nan = write(tmp_path / "nan.wav", broken, subtype="FLOAT")
    assert message(nan) == f"{nan}: recording must hold numbers; got NaN or infinity"


@pytest.mark.parametrize(
    ("values", "rate", "message"),
    [
        (np.zeros((2, 3, 4)), RATE, r"samples \[N\] or \[N, channels\], at least one; got \[2, 3"),
        (np.zeros(0), RATE, r"at least one; got \[0\]"),
        (np.array(["a"]), RATE, "recording must be floats or signed integers; got <U1"),
        (tone(), 0, "sampling rate of at least 1 hertz; got 0"),
        (np.zeros(5), RATE, "recording must hold sound; got silence"),
    ],
)
def test_arrays_that_are_none(values: np.ndarray, rate: int, message: str) -> None:
    with pytest.raises(DataError, match=message):
        array_samples(values, rate, RATE)


def test_a_missing_library_is_said_with_its_cure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "a.wav", tone())
    monkeypatch.setitem(sys.modules, "soundfile", None)
    with pytest.raises(
        DataError, match=r"which is not installed: pip install 'transduce\[audio\]'"
    ):
        read_samples(path, RATE)
