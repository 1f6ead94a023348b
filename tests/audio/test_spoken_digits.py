"""The manifests that recipes/digits.py writes."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from recordings import RATE, write_recording
from transduce.audio.reader import AudioReader
from transduce.config.audio import AudioConfig

SCRIPT = Path(__file__).parent.parent.parent / "recipes" / "digits.py"
COUNTS = {"train": 40, "dev": 10, "test": 10}


@pytest.fixture(scope="module")
def script() -> ModuleType:
    found = importlib.util.spec_from_file_location("spoken_digits", SCRIPT)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for speaker in ("lucas", "theo", "anna", "bela"):
        for digit in range(10):
            for take in range(2):
                name = f"{digit}_{speaker}_{take}.wav"
                write_recording(tmp_path / "recordings" / name, "a")
    (tmp_path / "recordings" / "notes.wav").touch()
    return tmp_path


def test_strings_of_one_speaker_each_in_one_part_alone(script: ModuleType, folder: Path) -> None:
    script.write_manifests(folder / "recordings", folder / "data", "lucas", "theo", COUNTS)
    speakers = {}
    reader = AudioReader(AudioConfig(sampling_rate=RATE))
    for split, count in COUNTS.items():
        lines = (folder / "data" / f"{split}.tsv").read_text().splitlines()
        assert len(lines) == count
        speakers[split] = set()
        for line in lines:
            source, text = line.split("\t")
            clips = [Path(piece).name for piece in source.split("|")[1::2]]
            said = [script.WORDS[int(clip[0])] for clip in clips]
            assert said == text.split()
            assert 1 <= len(said) <= 8
            of = {clip.split("_")[1] for clip in clips}
            assert len(of) == 1
            speakers[split] |= of
            silence = [float(piece) for piece in source.split("|")[::2]]
            assert len(silence) == len(clips) + 1
            frames = reader.length(reader.located(source, folder / "data"))
            assert frames == pytest.approx(100 * (sum(silence) + 0.1 * len(clips)), abs=2)
    assert speakers == {"train": {"anna", "bela"}, "dev": {"lucas"}, "test": {"theo"}}


def test_the_same_every_time(script: ModuleType, folder: Path) -> None:
    for name in ("one", "two"):
        script.write_manifests(folder / "recordings", folder / name, "lucas", "theo", COUNTS)
    for split in COUNTS:
        first, second = ((folder / name / f"{split}.tsv").read_text() for name in ("one", "two"))
        assert first == second


def test_a_speaker_who_is_not_there(script: ModuleType, folder: Path) -> None:
    with pytest.raises(SystemExit, match="must hold recordings of carla, theo and others; got"):
        script.write_manifests(folder / "recordings", folder / "data", "carla", "theo", COUNTS)


def test_one_speaker_of_dev_and_test(
    script: ModuleType, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recordings, data = folder / "recordings", folder / "data"
    with pytest.raises(SystemExit, match="must hold more than 25 recordings of each digit by theo"):
        script.write_manifests(recordings, data, "theo", "theo", COUNTS)
    monkeypatch.setattr(script, "TESTED", 1)
    script.write_manifests(recordings, data, "theo", "theo", COUNTS)
    names = {split: (data / f"{split}.tsv").read_text() for split in COUNTS}
    assert "theo_0" in names["test"]
    assert "theo_1" in names["dev"]
    assert "theo_1" not in names["test"]
    assert "theo_0" not in names["dev"]
    assert "theo" not in names["train"]
