"""A damaged MP3 is told in one line of ours; what the decoder writes itself is not shown."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
import pytest

from transduce.audio.decoder_notes import DecoderNotes
from transduce.audio.samples import read_samples

soundfile = pytest.importorskip("soundfile")


def damaged() -> bytes:
    """With zeros in the place of some frames."""
    file = io.BytesIO()
    noise = 0.1 * np.random.default_rng(0).standard_normal(32_000).astype(np.float32)
    soundfile.write(file, noise, 16_000, format="MP3")
    data = bytearray(file.getvalue())
    data[3000:3400] = bytes(400)
    return bytes(data)


def test_a_file_is_told_once_and_content_each_time(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "a.mp3"
    path.write_bytes(damaged())
    for _ in range(2):
        assert len(read_samples(str(path), 16_000)) > 28_000
        read_samples(damaged(), 16_000)
    said = "damaged MP3: 396 bytes that are no frame were left out"
    content = f"content of a recording: {said}"
    assert [record.getMessage() for record in caplog.records] == [
        f"{path}: {said}",
        content,
        content,
    ]
    assert capfd.readouterr().err == ""


def test_what_others_write_meanwhile_is_passed_on(capfd: pytest.CaptureFixture[str]) -> None:
    notes = DecoderNotes(b"ID3\x04")
    with notes.caught():
        os.write(
            2, b"Note: Skipped 12 bytes in input.\nsomebody else\n\nNote: Trying to resync...\n"
        )
        os.write(2, b"[src/libmpg123/layer3.c:INT123_do_layer3():1804] error: it failed!\n")
    os.write(2, b"afterwards\n")
    assert capfd.readouterr().err == "somebody else\nafterwards\n"
    assert (notes.skipped, notes.failed) == (12, 1)


def test_an_error_gives_the_stream_back(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="broken"), DecoderNotes(b"\xff\xfb\0\0").caught():
        raise ValueError("broken")
    os.write(2, b"here\n")
    assert capfd.readouterr().err == "here\n"


def test_nothing_is_caught_of_another_format(capfd: pytest.CaptureFixture[str]) -> None:
    with DecoderNotes(b"RIFF").caught():
        os.write(2, b"Note: of somebody\n")
        assert capfd.readouterr().err == "Note: of somebody\n"


def test_a_closed_stream_stays_closed() -> None:
    before = os.dup(2)
    os.close(2)
    try:
        closed = pytest.raises(OSError, match="Bad file descriptor")
        with DecoderNotes(b"ID3\x04").caught(), closed:
            os.fstat(2)
    finally:
        os.dup2(before, 2)
        os.close(before)
