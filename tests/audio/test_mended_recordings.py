"""Headers that are wrong of how long their recording is: all is read, or it is said."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import pytest
import torch

from transduce.audio.mpeg import counted, first_frame, stated
from transduce.audio.samples import array_samples, read_samples, sample_count
from transduce.errors import DataError

soundfile = pytest.importorskip("soundfile")

RATE = 16_000
CHUNK = b"LIST" + struct.pack("<I", 12) + b"INFOISFT\0\0\0\0"
LAST_TAG = b"TAG" + b"a title".ljust(125, b"\0")
FIRST_TAG = b"ID3\3\0\0" + bytes([0, 0, 1, 72]) + bytes(200)


def noise(count: int, seed: int = 0) -> np.ndarray:
    return (0.1 * np.random.default_rng(seed).standard_normal(count)).astype(np.float32)


def encoded(form: str, count: int = 2 * RATE) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, noise(count), RATE, format=form)
    return file.getvalue()


def wav(data_size: int | None = None, form_size: int | None = None, behind: bytes = b"") -> bytes:
    data = (noise(8000) * 32767).astype("<i2").tobytes()
    body = b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 1, RATE, 2 * RATE, 2, 16) + b"data"
    body += struct.pack("<I", len(data) if data_size is None else data_size) + data + behind
    return b"RIFF" + struct.pack("<I", len(body) if form_size is None else form_size) + body


def lengths(path: Path, data: bytes) -> set[int]:
    """By the header, of the file, and of its bytes."""
    path.write_bytes(data)
    return {sample_count(path, RATE), len(read_samples(path, RATE)), len(read_samples(data, RATE))}


@pytest.mark.parametrize(
    ("data", "count"),
    [
        (wav(0, 0), 8000),  # written first, and never again
        (wav(0, 36), 8000),
        (wav(2000, 4_000_000), 8000),  # what 32 bits of a size leave of a larger one
        (wav(behind=CHUNK), 8000),
        (wav(2000, behind=CHUNK)[:2044] + CHUNK * 200, 1000),  # other chunks, many of them
        (FIRST_TAG + wav(), 8000),
        (wav(behind=LAST_TAG), 8000),
    ],
)
def test_samples_of_a_wav_are_all_read(tmp_path: Path, data: bytes, count: int) -> None:
    assert lengths(tmp_path / "a.wav", data) == {count}


def test_a_wav_without_samples_stays_one(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(wav(0, 36)[:44] + CHUNK)
    (tmp_path / "b.wav").write_bytes(wav(0, 56)[:44] + CHUNK)
    with pytest.raises(DataError, match="must hold samples; got none"):
        read_samples(tmp_path / "b.wav", RATE)


def test_flac_is_whole_or_refused(tmp_path: Path) -> None:
    flac = encoded("FLAC")
    for behind in (LAST_TAG, b"\n", bytes(4)):
        assert lengths(tmp_path / "a.flac", flac + behind) == {2 * RATE}
    second = flac.index(flac[flac.index(b"\xff\xf8") :][:4], 200)  # a frame begins as the first did
    (tmp_path / "b.flac").write_bytes(flac[:second])
    with pytest.raises(DataError, match=r"must be whole; got 4,096 of 32,000 samples"):
        read_samples(tmp_path / "b.flac", RATE)


def told(flac: bytes, count: int) -> bytes:
    """With another number of samples in the header."""
    packed = int.from_bytes(flac[18:26], "big") >> 36 << 36 | count
    return flac[:18] + packed.to_bytes(8, "big") + flac[26:]


@pytest.mark.parametrize("count", [1000, 4096 * 3, 2 * RATE, 4096 * 200])
def test_a_flac_holds_what_its_last_frame_says(tmp_path: Path, count: int) -> None:
    """Frames of all sizes and, from the 128th on, with numbers of two bytes."""
    flac = encoded("FLAC", count)
    for fewer in (0, 1, count // 2, count - 1):
        assert lengths(tmp_path / "a.flac", told(flac, fewer)) == {count}
    tagged = told(flac, count // 2) + LAST_TAG
    assert lengths(tmp_path / "a.flac", tagged) == {count}
    with pytest.raises(DataError, match=rf"whole; got {count:,} of {count + 1:,} samples"):
        read_samples(told(flac, count + 1), RATE)


def test_a_frame_of_a_flac_has_a_checksum(tmp_path: Path) -> None:
    """What only looks like the header of a frame is none."""
    flac = encoded("FLAC")
    rival = bytearray(flac[flac.rindex(b"\xff\xf8") :][:8])
    rival[4] ^= 1  # another number, by the old checksum
    assert lengths(tmp_path / "a.flac", told(flac, 100) + bytes(rival)) == {2 * RATE}


def sized(form: str, endian: str, where: bytes, offset: int, size: bytes) -> bytes:
    """A file of 32,000 samples with another size, so many bytes behind a name in its header."""
    file = io.BytesIO()
    soundfile.write(file, noise(2 * RATE), RATE, format=form, endian=endian)
    data = file.getvalue()
    place = data.index(where) + offset
    return data[:place] + size + data[place + len(size) :]


@pytest.mark.parametrize(
    "data",
    [
        sized("WAV", "BIG", b"data", 4, struct.pack(">I", 4000)),  # RIFX
        sized("RF64", "FILE", b"ds64", 16, struct.pack("<Q", 4000)),
        sized("AIFF", "FILE", b"SSND", 4, struct.pack(">I", 4008)),
        sized("AU", "BIG", b".snd", 8, struct.pack(">I", 4000)),
        sized("AU", "BIG", b".snd", 8, struct.pack(">I", 0)),
        FIRST_TAG + sized("AIFF", "FILE", b"SSND", 4, struct.pack(">I", 4008)),
    ],
    ids=["rifx", "rf64", "aiff", "au", "au-none", "aiff-tagged"],
)
def test_no_header_ends_a_recording_before_its_file(tmp_path: Path, data: bytes) -> None:
    assert lengths(tmp_path / "a", data) == {2 * RATE}


def test_chunks_behind_the_sound_of_an_aiff_are_none(tmp_path: Path) -> None:
    whole = sized("AIFF", "FILE", b"SSND", 4, struct.pack(">I", 4 * RATE + 8))
    note = b"ANNO" + struct.pack(">I", 4000) + bytes(4000)
    assert lengths(tmp_path / "a", whole + note) == {2 * RATE}
    short = whole[: whole.index(b"SSND") + 4] + struct.pack(">I", 4008)
    short += whole[len(short) : len(short) + 4008] + note
    assert lengths(tmp_path / "a", short) == {2000}


def test_frames_of_an_mp3_are_counted() -> None:
    file = io.BytesIO(FIRST_TAG + encoded("MP3") + LAST_TAG)
    first = first_frame(file, len(FIRST_TAG))
    assert first == len(FIRST_TAG)
    said = stated(file, first)
    found = counted(file, first)
    assert said is not None
    assert found.frames == said[0] == 58  # of 576 samples
    assert found.start + found.length == len(file.getvalue()) - len(LAST_TAG)


def test_an_mp3_without_its_first_frame_is_read_to_its_end(tmp_path: Path) -> None:
    """The bit rate varies: by the first frame it would be half as long."""
    mp3 = encoded("MP3")
    second = counted(io.BytesIO(mp3), 0).start
    [count] = lengths(tmp_path / "a.mp3", mp3[second:])
    assert 2 * RATE <= count <= 2 * RATE + 2000  # the encoder's own silence is left


def test_joined_mp3_are_read_to_their_end(tmp_path: Path) -> None:
    [count] = lengths(tmp_path / "a.mp3", encoded("MP3") * 2)
    assert 4 * RATE <= count <= 4 * RATE + 4000


def test_tags_of_an_mp3_are_no_sound(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    mp3 = encoded("MP3", RATE // 4)
    assert lengths(tmp_path / "a.mp3", FIRST_TAG + mp3 + LAST_TAG) == {RATE // 4}
    assert capfd.readouterr().err == ""


def test_a_cut_mp3_is_told_by_its_header(tmp_path: Path) -> None:
    path = tmp_path / "a.mp3"
    mp3 = encoded("MP3")
    path.write_bytes(mp3[: len(mp3) // 2])
    for use in (sample_count, read_samples):
        with pytest.raises(DataError, match=r"must be whole; got 4,320 of 8,640 bytes"):
            use(path, RATE)


def test_an_mp3_that_breaks_off_is_told_when_it_is_read(tmp_path: Path) -> None:
    mp3 = encoded("MP3")
    path = tmp_path / "a.mp3"
    path.write_bytes(mp3[:3000] + bytes(600) + mp3[5700:] + bytes(2100))
    with pytest.raises(DataError, match="recording must be"):
        read_samples(path, RATE)


@pytest.mark.parametrize(
    ("values", "rate", "message"),
    [
        (torch.zeros(5).to_sparse(), RATE, "recording must be an array of numbers; got: "),
        ([[1.0], [1.0, 2.0]], RATE, "recording must be an array of numbers; got: setting"),
        (noise(50), "16000", "must have a sampling rate in hertz; got str"),
        (noise(50), None, "must have a sampling rate in hertz; got NoneType"),
    ],
)
def test_what_is_no_array_is_told(values: object, rate: object, message: str) -> None:
    with pytest.raises(DataError, match=message):
        array_samples(values, rate, RATE)  # type: ignore[arg-type]


def test_tensors_of_a_training_are_samples() -> None:
    wanted = noise(50)
    learned = torch.tensor(wanted, requires_grad=True)
    np.testing.assert_array_equal(array_samples(learned, RATE, RATE), wanted)
    halved = array_samples(torch.tensor(wanted).bfloat16(), RATE, RATE)
    np.testing.assert_allclose(halved, wanted, atol=1e-3)
