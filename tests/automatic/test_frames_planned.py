"""Recordings and pictures in the place of a recipe: looked at, not trained on."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from recordings import write_manifest, write_recording
from transduce.automatic.planning import ChosenRecipe, plan_files
from transduce.errors import DataError
from transduce.reading.held_out import split_of
from transduce.reading.pair_files import read_pairs
from transduce.reading.parts import parts_of
from transduce.reading.problems import Problems


def in_splits(plan: ChosenRecipe) -> dict[str, int]:
    data = parts_of(plan.config)[""].data
    side = split_of(data)
    assert data.train is not None
    found = [side(pair) for pair in read_pairs(data.train, data, Problems("stop"))]
    return {split: found.count(split) for split in ("train", "dev", "test")}


def test_a_folder_of_recordings(tmp_path: Path) -> None:
    folder = tmp_path / "clips"
    for number in range(20):
        write_recording(folder / f"{number}.wav", "abcd"[number % 4], number)
        (folder / f"{number}.txt").write_text("abcd"[number % 4])
    plan = plan_files([str(folder)], {}, 1.0)
    assert plan.config.data.input.kind == "audio"
    assert plan.config.data.input.sampling_rate == 8000
    assert plan.config.model.ctc
    assert f"{folder}: 20 recordings, each with its text beside it" in plan.lines
    assert in_splits(plan) == {"train": 16, "dev": 2, "test": 2}


def test_a_list_of_recordings(tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path, "all", 20)
    plan = plan_files([str(manifest)], {"data.input.mel_bins": 16}, 1.0)
    assert plan.config.data.input.kind == "audio"
    assert plan.config.data.input.features == 16
    assert "sources are files: recordings" in plan.lines


@pytest.mark.parametrize(
    ("size", "frontend"), [((200, 30), "convolution2d"), ((64, 64), "patches")]
)
def test_pictures_by_their_shape(tmp_path: Path, size: tuple[int, int], frontend: str) -> None:
    for number in range(12):
        Image.new("L", size, 255).save(tmp_path / f"{number}.png")
        (tmp_path / f"{number}.txt").write_text(f"word {number % 3}")
    plan = plan_files([str(tmp_path)], {}, 1.0)
    assert plan.config.data.input.kind == "image"
    assert plan.config.model.frontend.kind == frontend
    assert in_splits(plan) == {"train": 10, "dev": 1, "test": 1}


def test_recordings_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"nothing")
    (tmp_path / "a.txt").write_text("a")
    with pytest.raises(DataError) as caught:
        plan_files([str(tmp_path)], {}, 1.0)
    assert "a.wav" in str(caught.value)
