from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from transduce.config.image import ImageAugmentationConfig, ImageConfig
from transduce.errors import DataError
from transduce.image import reader as image_reader
from transduce.image.pixels import picture_width, read_pixels, to_frames
from transduce.image.reader import ImageReader

CONFIG = ImageConfig(height=8)


def picture(path: Path, ink: int = 0, size: tuple[int, int] = (12, 8)) -> str:
    image = Image.new("L", size, 255)
    image.paste(ink, (2, 2, 5, 6))
    image.save(path)
    return str(path)


def test_frames_are_those_of_the_file(tmp_path: Path) -> None:
    path = picture(tmp_path / "a.png")
    reader = ImageReader(CONFIG)
    expected = to_frames(read_pixels(path, CONFIG), CONFIG)
    assert reader.features == 8
    assert reader.length(path) == picture_width(path, CONFIG) == 12
    for source in (path, Path(path), np.asarray(Image.open(path)), path):
        assert np.array_equal(reader.read(source), expected)


def test_augmented_pictures_start_from_the_file_every_time(tmp_path: Path) -> None:
    path = picture(tmp_path / "a.png")
    reader = ImageReader(
        ImageConfig(height=8, augmentation=ImageAugmentationConfig(shift=0.3, noise=0.1))
    )
    first = reader.augmented(path, 1, 0, 0)
    assert not np.array_equal(first, reader.augmented(path, 1, 1, 0))
    assert np.array_equal(first, reader.augmented(path, 1, 0, 0))
    assert np.array_equal(first, ImageReader(reader.config).augmented(path, 1, 0, 0))
    assert np.array_equal(reader.read(path), ImageReader(CONFIG).read(path))


def test_kept_pictures_are_not_unpacked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [picture(tmp_path / f"{n}.png") for n in range(4)]
    unpacked: list[str] = []

    def counting(path: str, config: ImageConfig) -> np.ndarray:
        unpacked.append(path)
        return read_pixels(path, config)

    monkeypatch.setattr(image_reader, "read_pixels", counting)
    room = 2 * (8 * 12 + len(paths[0]) + 400) + 50  # for two pictures
    monkeypatch.setattr(image_reader, "_KEPT_BYTES", room)
    reader = ImageReader(CONFIG)
    for _ in range(3):
        for path in paths:
            reader.read(path)
    assert [unpacked.count(path) for path in paths] == [1, 1, 3, 3]


def test_trimmed_pictures_are_unpacked_once_for_length_and_frames(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = picture(tmp_path / "a.png")
    config = ImageConfig(height=8, trim=True)
    unpacked: list[str] = []

    def counting(path: str, config: ImageConfig) -> np.ndarray:
        unpacked.append(path)
        return read_pixels(path, config)

    monkeypatch.setattr(image_reader, "read_pixels", counting)
    reader = ImageReader(config)
    assert reader.length(path) == len(reader.read(path)) == 6
    assert unpacked == [path]


def test_a_file_that_changed_is_read_anew(tmp_path: Path) -> None:
    path = picture(tmp_path / "a.png")
    reader = ImageReader(CONFIG)
    before = reader.read(path)
    picture(tmp_path / "a.png", ink=128, size=(20, 8))
    os.utime(path, ns=(1, 1))  # even by a clock that went backwards
    assert reader.read(path).shape == (20, 8)
    assert len(before) == 12
    Path(path).unlink()
    with pytest.raises(DataError, match="No such file"):
        reader.read(path)


def test_samples_are_no_picture() -> None:
    with pytest.raises(DataError, match="must be a path, bytes of a file or pixels; got a tuple"):
        ImageReader(CONFIG).read((np.zeros(9), 8000))
