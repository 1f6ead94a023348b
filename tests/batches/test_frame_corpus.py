"""Corpora of recordings: what is read, when, and how it differs from epoch to epoch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from recordings import RATE, spoken, write_recording
from small_batches import padded_tokens, real_tokens
from transduce.audio.log_mel import log_mel
from transduce.audio.reader import AudioReader
from transduce.batches.batching import Batches
from transduce.batches.frame_corpus import FrameCorpus
from transduce.batches.row_readers import FrameRows
from transduce.config import Config, DataConfig
from transduce.config.audio import AudioConfig
from transduce.config.data import TextConfig
from transduce.config.image import ImageConfig
from transduce.errors import DataError
from transduce.image.reader import ImageReader
from transduce.reading.frames import frame_reader
from transduce.tokenization.tokenizer import Tokenizer

TEXTS = ["ab", "dcba", "a", "cc", "bd"]
AUGMENTED = {
    "speed": 0.1,
    "warp": 0.1,
    "gain": 6.0,
    "color": 6.0,
    "noise": 0.1,
    "time_masks": 1,
    "frequency_masks": 1,
}


def audio(**options: object) -> AudioConfig:
    return AudioConfig.model_validate({"sampling_rate": RATE, "mel_bins": 20, **options})


@pytest.fixture
def pairs(tmp_path: Path) -> list[tuple[str, str]]:
    return [
        (str(write_recording(tmp_path / f"{n}.wav", text, n)), text) for n, text in enumerate(TEXTS)
    ]


@pytest.fixture
def tokenizer() -> Tokenizer:
    return Tokenizer.train(TEXTS, Config().tokenizer.target)


def build(pairs, tokenizer, *, augment: bool = False, config=None, **options) -> FrameCorpus:
    reader = AudioReader(audio(**options))
    return FrameCorpus.build(
        [pairs], FrameRows(reader), [tokenizer], config or DataConfig(), augment=augment
    )


def test_a_reader_for_each_kind() -> None:
    assert frame_reader(DataConfig(input=TextConfig())) is None
    assert isinstance(frame_reader(DataConfig(input=AudioConfig())), AudioReader)
    assert isinstance(frame_reader(DataConfig(input=ImageConfig())), ImageReader)


def test_lengths_from_headers_are_those_of_frames(pairs, tokenizer) -> None:
    corpus = build(pairs, tokenizer)
    assert corpus.source_lengths.tolist() == [10 * len(text) for text in TEXTS]
    assert corpus.target_lengths.tolist() == [len(text) + 1 for text in TEXTS]
    assert [len(corpus.reader.read(path)) for path, _ in pairs] == corpus.source_lengths.tolist()


def test_a_batch_is_padded_frames_and_targets(pairs, tokenizer) -> None:
    batch = build(pairs, tokenizer).batch([2, 1])
    assert batch.source.frames.shape == (2, 40, 20)
    assert batch.source.lengths.tolist() == [10, 40]
    expected = log_mel(AudioReader(audio()).samples(pairs[2][0]), audio())
    assert torch.equal(batch.source.frames[0, :10], torch.from_numpy(expected))
    assert not batch.source.frames[0, 10:].any()
    assert batch.target_lengths.tolist() == [2, 5]
    assert tokenizer.decode(batch.target_output[1, :4].tolist()) == "dcba"
    assert batch.indices == (2, 1)
    assert real_tokens(batch) == (50, 7)
    assert padded_tokens(batch) == (80, 10)


def test_no_pairs_are_an_empty_batch(pairs, tokenizer) -> None:
    batch = build(pairs, tokenizer).batch([])
    assert batch.source.frames.shape == (0, 1, 20)
    assert batch.target.shape == (0, 2)


def test_paths_outlive_odd_names(tmp_path, tokenizer) -> None:
    odd = [(str(write_recording(tmp_path / name, "ab")), "ab") for name in ("ü ß.wav", "日本.wav")]
    corpus = build(odd, tokenizer)
    assert [corpus.name(n) for n in range(2)] == [path for path, _ in odd]


def test_limits(pairs, tokenizer) -> None:
    skipped = build(pairs, tokenizer, config=DataConfig(max_source_length=25, max_target_length=2))
    assert len(skipped) == 1
    assert skipped.filtered == {"max_source_length": 1, "max_target_length": 3}
    config = DataConfig(max_source_length=25, max_target_length=2, too_long="truncate")
    cut = build(pairs, tokenizer, config=config)
    assert cut.target_lengths.tolist() == [2, 2, 2, 2]
    assert cut.filtered == {"max_source_length": 1}
    assert cut.truncated == {"max_target_length": 3}


def test_epochs_differ_and_repeat(pairs, tokenizer) -> None:
    corpus = build(pairs, tokenizer, augment=True, augmentation=AUGMENTED)
    first = corpus.in_epoch(0).batch([0, 1]).source.values
    again = corpus.in_epoch(0).batch([0, 1]).source.values
    other = corpus.in_epoch(1).batch([0, 1]).source.values
    assert torch.equal(first, again)
    assert first.shape != other.shape or not torch.allclose(first, other, atol=1e-2)
    # A pair is changed alike whatever batch it is in.
    alone = corpus.in_epoch(0).batch([1]).source
    together = corpus.in_epoch(0).batch([0, 1]).source
    assert torch.equal(alone.values[0], together.values[1, : int(alone.lengths[0])])


def test_batches_go_on_where_they_stopped(pairs, tokenizer) -> None:
    corpus = build(pairs, tokenizer, augment=True, augmentation=AUGMENTED)
    batches = Batches(corpus, 60, seed=3)
    whole = list(batches.iterate(2))
    rest = list(Batches(corpus, 60, seed=3).iterate(2, start=1))
    assert len(whole) > 2
    for mine, theirs in zip(rest, whole[1:], strict=True):
        assert torch.equal(mine.source.values, theirs.source.values)


def test_without_augment_files_are_read_as_they_are(pairs, tokenizer) -> None:
    changing = build(pairs, tokenizer, augmentation=AUGMENTED)
    plain = build(pairs, tokenizer)
    assert torch.equal(changing.batch([0]).source.values, plain.batch([0]).source.values)


def test_damage_behind_a_sound_header(pairs, tokenizer, caplog: pytest.LogCaptureFixture) -> None:
    path = Path(pairs[1][0])
    silent = path.read_bytes()[:44] + bytes(path.stat().st_size - 44)
    path.write_bytes(silent)
    with pytest.raises(DataError, match=r"1.wav: recording must hold sound; got silence"):
        build(pairs, tokenizer).batch([0, 1])
    corpus = build(pairs, tokenizer, config=DataConfig(on_error="skip"))
    batch = corpus.batch([0, 1, 2])
    assert batch.indices == (0, 2)
    assert len(batch.target) == len(batch.source.values) == 2
    assert "left out: " in caplog.text
    with pytest.raises(DataError, match="got silence"):
        corpus.batch([1])


# ---------------------------------------------------------------- sources


def test_joined_recordings(tmp_path: Path) -> None:
    reader = AudioReader(audio())
    one = write_recording(tmp_path / "one.wav", "ab")
    two = write_recording(tmp_path / "two.wav", "d", 5)
    joined = f"{one}|0.25|{two}"
    samples = reader.samples(joined)
    assert len(samples) == 1600 + 2000 + 800
    assert not samples[1600:3600].any()
    np.testing.assert_allclose(samples[3600:], spoken("d", 5), atol=1e-4)
    assert reader.length(joined) == len(reader.read(joined)) == 55
    assert (
        reader.located("one.wav|0.25|sub/two.wav", Path("at")) == "at/one.wav|0.25|at/sub/two.wav"
    )
    for wrong in ("|", "0.3|0.4", f"{one}||{two}"):
        with pytest.raises(DataError, match=r"source must be recordings joined by \|; got "):
            reader.read(wrong)


def test_arrays_are_sources(tmp_path: Path) -> None:
    reader = AudioReader(audio())
    path = write_recording(tmp_path / "one.wav", "abc")
    np.testing.assert_allclose(reader.read(spoken("abc")), reader.read(path), atol=0.05)
    twice = np.repeat(spoken("abc"), 2)
    assert len(reader.read((twice, 2 * RATE))) == 30


@pytest.mark.parametrize("option", list(AUGMENTED))
def test_every_augmentation_changes_something(tmp_path: Path, option: str) -> None:
    path = str(write_recording(tmp_path / "one.wav", "abcd"))
    plain = AudioReader(audio()).read(path)
    reader = AudioReader(audio(augmentation={option: AUGMENTED[option]}))
    versions = [reader.augmented(path, 1, epoch, 0) for epoch in range(4)]
    assert any(v.shape != plain.shape or np.abs(v - plain).max() > 1e-3 for v in versions)
    assert all(np.isfinite(v).all() for v in versions)


def test_speed_changes_the_length_within_its_bounds(tmp_path: Path) -> None:
    path = str(write_recording(tmp_path / "one.wav", "abcd"))
    reader = AudioReader(audio(augmentation={"speed": 0.25}))
    lengths = [len(reader.augmented(path, 1, epoch, 0)) for epoch in range(30)]
    assert 31 <= min(lengths) < 36
    assert 44 < max(lengths) <= 50


def test_noise_is_as_loud_as_said(tmp_path: Path) -> None:
    from transduce.audio.augmentation import change_samples

    samples = spoken("abcd")
    shares = []
    for epoch in range(40):
        chance = np.random.Generator(np.random.PCG64([1, epoch]))
        changed = change_samples(samples, audio(augmentation={"noise": 0.1}), chance)
        shares.append(np.sqrt(np.mean((changed - samples) ** 2) / np.mean(samples**2)))
    noisy = [share for share in shares if share > 0]
    assert 2 <= len(shares) - len(noisy) <= 20  # a quarter of 40, more or less
    assert 0.0009 < min(noisy) < 0.005
    assert 0.05 < max(noisy) <= 0.101


def test_recordings_that_are_joined_get_a_gain_each(tmp_path: Path) -> None:
    from transduce.audio.augmentation import change_gains

    reader = AudioReader(audio(augmentation={"gain": 20.0}))
    chance = np.random.default_rng(1)
    pieces = [np.ones(40, np.float32), np.zeros(5, np.float32), np.ones(40, np.float32)]
    drawn = [change_gains(pieces, reader.config.augmentation, chance) for _ in range(200)]
    decibels = 20 * np.log10([(first[0], last[0]) for first, _, last in drawn])
    assert -20 <= decibels.min() < -18
    assert 18 < decibels.max() <= 20
    assert abs(np.corrcoef(decibels.T)[0, 1]) < 0.2
    assert all(np.ptp(first) == 0 and not silence.any() for first, silence, _ in drawn)

    word = str(write_recording(tmp_path / "word.wav", "ab"))
    once = reader.augmented(f"{word}|0.2|{word}", 1, 0, 0)
    quiet = reader.augmented(f"{word}|0.2|{word}", 1, 1, 0)
    assert once.shape == quiet.shape
    assert not np.allclose(once, quiet)
