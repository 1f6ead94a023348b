from __future__ import annotations

import numpy as np
import pytest

from transduce.config.image import ImageAugmentationConfig, ImageConfig
from transduce.image.augmentation import augmented


def config(*, invert: bool = True, color: bool = False, **options: float) -> ImageConfig:
    return ImageConfig(
        height=40, invert=invert, color=color, augmentation=ImageAugmentationConfig(**options)
    )


def square(channels: int = 1) -> np.ndarray:
    """A black square of 16 by 16 in the middle of white paper, 40 by 60."""
    pixels = np.full((40, 60, channels), 255, np.uint8)
    pixels[12:28, 22:38] = 0
    return pixels


def places(pixels: np.ndarray, ink: int = 0) -> np.ndarray:
    """Rows and columns of what is nearer to ink than to paper."""
    return np.argwhere(np.abs(pixels[..., 0].astype(int) - ink) < 128)


EVERYTHING = {"shift": 0.1, "rotation": 10, "slant": 10, "scale": 0.2, "noise": 0.1}


@pytest.mark.parametrize("channels", [1, 3])
def test_same_seed_epoch_and_number_same_picture(channels: int) -> None:
    options = config(color=channels == 3, **EVERYTHING)
    first = augmented(square(channels), options, 7, 3, 5)
    assert first.shape == (40, 60, channels)
    assert first.dtype == np.uint8
    assert np.array_equal(first, augmented(square(channels), options, 7, 3, 5))
    for other in ((8, 3, 5), (7, 4, 5), (7, 3, 6)):
        assert not np.array_equal(first, augmented(square(channels), options, *other))


def test_nothing_asked_for_nothing_changed() -> None:
    assert np.array_equal(augmented(square(), config(), 1, 0, 0), square())


def test_shift_moves_both_ways_within_its_bound() -> None:
    moves = np.array(
        [
            places(augmented(square(), config(shift=0.2), 1, 0, n)).mean(axis=0) - (19.5, 29.5)
            for n in range(200)
        ]
    )
    assert np.abs(moves).max() < 0.2 * 40 + 0.6
    assert (moves.min(axis=0) < -6).all()
    assert (moves.max(axis=0) > 6).all()
    assert np.abs(moves.mean(axis=0)).max() < 1


def test_scale_makes_larger_and_smaller_within_its_bound() -> None:
    sides = []
    for number in range(200):
        found = places(augmented(square(), config(scale=0.25), 1, 0, number))
        sides.append(np.ptp(found, axis=0) + 1)
        assert np.abs(found.mean(axis=0) - (19.5, 29.5)).max() < 1  # the middle stays
    assert np.min(sides) >= 12
    assert np.max(sides) <= 21
    assert np.ptp(sides) >= 6


def stroke_angles(pictures: list[np.ndarray]) -> np.ndarray:
    """Degrees by which a stroke lies off the vertical."""
    angles = []
    for pixels in pictures:
        rows, columns = places(pixels).T
        angles.append(np.degrees(np.arctan(np.polyfit(rows, columns, 1)[0])))
    return np.array(angles)


@pytest.mark.parametrize("option", ["rotation", "slant"])
def test_a_stroke_leans_as_far_as_asked_for(option: str) -> None:
    stroke = np.full((40, 60, 1), 255, np.uint8)
    stroke[8:32, 29:32] = 0
    pictures = [augmented(stroke, config(**{option: 20}), 1, 0, n) for n in range(100)]
    angles = stroke_angles(pictures)
    assert 17 < np.abs(angles).max() < 21.5
    assert angles.min() < -12
    assert angles.max() > 12


def test_a_slant_keeps_lines_level_and_a_rotation_does_not() -> None:
    level = np.full((40, 60, 1), 255, np.uint8)
    level[19:22, 15:45] = 0
    rises = {}
    for option in ("rotation", "slant"):
        picture = augmented(level, config(**{option: 20}), 1, 0, 3)
        rows, columns = places(picture).T
        rises[option] = abs(np.polyfit(columns, rows, 1)[0])
    assert rises["slant"] < 0.01 < 0.05 < rises["rotation"]


def test_noise_is_as_strong_as_asked_for() -> None:
    grey = np.full((40, 60, 1), 128, np.uint8)
    noisy = augmented(grey, config(noise=0.1), 1, 0, 0).astype(float)
    assert abs(noisy.mean() - 128) < 3
    assert abs(noisy.std() - 25.5) < 2


@pytest.mark.parametrize("invert", [True, False])
def test_what_comes_in_at_the_edges_is_paper(invert: bool) -> None:
    paper = 255 if invert else 0
    pixels = np.full((40, 60, 1), 255 - paper, np.uint8)
    edges = [augmented(pixels, config(invert=invert, shift=0.3), 1, 0, n) for n in range(9)]
    assert all((picture == paper).any() for picture in edges)
