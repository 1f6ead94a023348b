"""What a recording's header may claim, and what of it is believed."""

from __future__ import annotations

import io
import os
import struct
from pathlib import Path

import numpy as np
import pytest

from transduce.audio.reader import AudioReader
from transduce.audio.samples import array_samples, read_samples, sample_count
from transduce.config.audio import AudioConfig
from transduce.errors import DataError, one_line

soundfile = pytest.importorskip("soundfile")

RATE = 16_000


def noise(count: int = 40_000, seed: int = 0) -> np.ndarray:
    return (0.1 * np.random.default_rng(seed).standard_normal(count)).astype(np.float32)


def encoded(samples: np.ndarray, form: str = "FLAC", subtype: str | None = None) -> bytearray:
    file = io.BytesIO()
    soundfile.write(file, samples, RATE, format=form, subtype=subtype)
    return bytearray(file.getvalue())


def wav(rate: int = RATE, *, size: int | None = None, count: int = 4000) -> bytes:
    """16 bits, one channel; ``size`` is what the header says of the data."""
    data = (noise(count) * 32767).astype("<i2").tobytes()
    said = len(data) if size is None else size
    form = struct.pack("<IHHIIHH", 16, 1, 1, rate, 2 * rate % 2**32, 2, 16)
    head = struct.pack("<I", (36 + said) % 2**32)
    return b"RIFF" + head + b"WAVEfmt " + form + b"data" + struct.pack("<I", said) + data


def refusal(path: Path, **options: float) -> str:
    messages = []
    for read in (read_samples, sample_count):
        with pytest.raises(DataError) as caught:
            read(path, RATE, **options)
        messages.append(str(caught.value))
    assert messages[0] == messages[1], "what the header tells is found by the header alone"
    assert messages[0].startswith(one_line(f"{path}: "))
    return messages[0].removeprefix(one_line(f"{path}: "))


def write(path: Path, data: bytes | bytearray) -> Path:
    path.write_bytes(data)
    return path


def of_length(flac: bytearray, count: int) -> bytes:
    """FLAC whose STREAMINFO tells another number of samples."""
    told = bytearray(flac)
    told[21] = told[21] & 0xF0 | count >> 32
    told[22:26] = struct.pack(">I", count & 0xFFFFFFFF)
    return bytes(told)


def test_flac_of_unknown_length_is_read(tmp_path: Path) -> None:
    flac = encoded(noise(150_000))
    path = write(tmp_path / "a.flac", of_length(flac, 0))
    whole = read_samples(write(tmp_path / "b.flac", flac), RATE)
    np.testing.assert_array_equal(read_samples(path, RATE), whole)
    assert sample_count(path, RATE) == 150_000
    assert refusal(path, most_minutes=0.1) == (
        "recording must have at most 0.1 minutes (data.input.max_minutes); got more"
    )


def test_an_absurd_length_is_refused_by_the_header(tmp_path: Path) -> None:
    path = write(tmp_path / "a.flac", of_length(encoded(noise()), 2**36 - 1))
    assert refusal(path) == (
        "recording must have at most 30 minutes (data.input.max_minutes); got 71,582.8"
    )


@pytest.mark.parametrize("rate", [1, 159, 1_600_001, 2**31 - 1])
def test_rates_are_not_changed_without_bounds(tmp_path: Path, rate: int) -> None:
    assert refusal(write(tmp_path / "a.wav", wav(rate))) == (
        "recording must have a sampling rate of 160 to 1,600,000 hertz, as it becomes 16,000; "
        f"got {rate:,}"
    )
    with pytest.raises(DataError, match="must have a sampling rate of 160 to"):
        array_samples(noise(), rate, RATE)


@pytest.mark.parametrize("rate", [0, 2**31, 2**32 - 1])
def test_rates_that_are_none(tmp_path: Path, rate: int) -> None:
    assert "must be a whole WAV" in refusal(write(tmp_path / "a.wav", wav(rate)))


def test_hundreds_of_channels(tmp_path: Path) -> None:
    many = np.stack([noise(100)] * 65, axis=1)
    path = write(tmp_path / "a.wav", encoded(many, "WAV", "PCM_16"))
    assert refusal(path) == "recording must have at most 64 channels; got 65"


@pytest.mark.parametrize("form", ["WAV", "AIFF", "AU"])
def test_a_file_that_is_cut_off(tmp_path: Path, form: str) -> None:
    data = encoded(noise(), form, "PCM_16")
    path = write(tmp_path / f"a.{form.lower()}", data[: len(data) // 2])
    assert refusal(path).startswith("recording must be whole; got 39,9")


@pytest.mark.parametrize("size", [2**32 - 1, 2**31 - 1, 8000 + 500])
def test_a_stream_whose_length_nobody_knew(tmp_path: Path, size: int) -> None:
    """What a program writes whose output is a pipe, and a few bytes too many."""
    path = write(tmp_path / "a.wav", wav(size=size))
    assert len(read_samples(path, RATE)) == sample_count(path, RATE) == 4000


def test_other_formats_are_not_even_tried(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", encoded(noise(), "CAF", "PCM_16"))
    assert refusal(path).endswith("got: Format not recognised")


@pytest.mark.parametrize("scale", [1e30, 3e38])
@pytest.mark.parametrize("rate", [RATE, 8000])
def test_frames_of_the_loudest_are_numbers(tmp_path: Path, scale: float, rate: int) -> None:
    loud = np.clip(noise(), -0.999, 0.999) * np.float32(scale)
    path = tmp_path / "a.wav"
    soundfile.write(path, loud, rate, subtype="FLOAT")
    for options in ({}, {"cut_at": 1.0}, {"normalization": "bin"}):
        reader = AudioReader(AudioConfig.model_validate(options))
        assert np.isfinite(reader.read(path)).all()
        assert all(np.isfinite(each.frames).all() for each in reader.segments(path))
        assert np.isfinite(reader.read((loud, rate))).all()


def test_integers_in_floats_stay_as_loud_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, noise() * 32768, RATE, subtype="FLOAT")
    np.testing.assert_array_equal(read_samples(path, RATE), noise() * 32768)


@pytest.mark.parametrize("form", ["FLOAT", "DOUBLE"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_found_wherever_it_is(tmp_path: Path, form: str, value: float) -> None:
    samples = noise(200_000).astype(np.float64)
    samples[-1] = value
    path = tmp_path / "a.wav"
    soundfile.write(path, samples, RATE, subtype=form)
    with pytest.raises(DataError, match="recording must hold numbers; got NaN or infinity"):
        read_samples(path, RATE)


def test_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.wav")
    message = "recording must be a readable file; got "
    assert refusal(tmp_path / "a.wav") == f"{message}a pipe: give it as standard input"
    assert refusal(Path("/dev/zero")) == f"{message}a device"
    assert refusal(tmp_path) == f"{message}Is a directory"
    assert refusal(tmp_path / "a\0.wav") == f"{message}a name that no file can have"
    assert refusal(tmp_path / ("a" * 1000)) == f"{message}File name too long"


# ---------------------------------------------------------------- minutes of sound


def test_minutes_are_those_of_the_config(tmp_path: Path) -> None:
    path = str(write(tmp_path / "a.flac", encoded(noise(RATE * 7))))
    reader = AudioReader(AudioConfig(max_minutes=0.1))
    message = r"at most 0\.1 minutes \(data\.input\.max_minutes\); got 0\.1$"
    for use in (reader.read, reader.length, lambda path: list(reader.segments(path))):
        with pytest.raises(DataError, match=message):
            use(path)
    assert AudioReader(AudioConfig(max_minutes=0.12)).length(path) == 700


def test_joined_recordings_have_their_minutes_together(tmp_path: Path) -> None:
    path = write(tmp_path / "a.flac", encoded(noise(RATE * 2)))
    reader = AudioReader(AudioConfig(max_minutes=0.1))
    assert reader.length(f"{path}|1|{path}") == 500
    for source in (f"{path}|{path}|{path}|{path}", f"{path}|3599", f"3599|{path}"):
        for use in (reader.read, reader.length):
            with pytest.raises(DataError, match=r"joined must have at most 0\.1 minutes together"):
                use(source)
    with pytest.raises(DataError, match="at most 1,000 recordings and silences"):
        reader.length("|".join([str(path)] * 1001))


def test_longer_ones_are_read_window_by_window(tmp_path: Path) -> None:
    """The windows of a whole recording, whether it is held or not."""
    path = tmp_path / "a.flac"
    soundfile.write(path, noise(RATE * 9), RATE * 3 // 2)  # resampled on the way
    whole = AudioReader(AudioConfig(cut_at=1.5))
    held = whole.samples(path)
    expected = [each.frames for each in whole.segments((held, RATE))]
    reader = AudioReader(AudioConfig(cut_at=1.5, max_minutes=0.01))
    found = [each.frames for each in reader.segments(path)]
    assert len(found) == len(expected) > 4
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)
    assert reader.length(str(path)) == whole.length(str(path)) == 600
    with pytest.raises(DataError, match=r"at most 0\.01 minutes"):
        reader.read(path)
