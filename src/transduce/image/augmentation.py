"""Training pictures that are never twice the same, and yet the same on every run."""

from __future__ import annotations

import math

import numpy as np

from transduce.config.image import ImageAugmentationConfig, ImageConfig
from transduce.image.pixels import Pixels

__all__ = ["augmented"]


def augmented(pixels: Pixels, config: ImageConfig, seed: int, epoch: int, index: int) -> Pixels:
    """The picture ``[Y, X, C]`` shifted, turned, slanted, scaled and covered with noise.

    Its size stays; what comes in at the edges is paper. All of it follows from the seed, the
    epoch and the number of the picture in its corpus.
    """
    options = config.augmentation
    if not options.active:
        return pixels
    chance = np.random.Generator(np.random.PCG64([seed % 2**64, epoch, index]))
    moved = _moved(pixels, options, 255 if config.invert else 0, chance)
    if not options.noise:
        return moved
    noise = chance.standard_normal(moved.shape, dtype=np.float32) * (255 * options.noise)
    return np.clip(np.rint(moved + noise), 0, 255).astype(np.uint8)


def _moved(
    pixels: Pixels, options: ImageAugmentationConfig, paper: int, chance: np.random.Generator
) -> Pixels:
    from PIL import Image  # lazy: an extra

    draws = chance.uniform(-1, 1, 6)  # always as many, so that one option changes no other's draws
    angle = math.radians(options.rotation * draws[0])
    slant = math.tan(math.radians(options.slant * draws[1]))
    across, down = (math.exp(math.log1p(options.scale) * draw) for draw in draws[2:4])
    height, width, channels = pixels.shape
    right, below = options.shift * height * draws[4:6]
    if not (angle or slant or options.scale or options.shift):
        return pixels
    # A point of the result, seen from the middle, to the point of the picture it shows.
    cosine, sine = math.cos(angle), math.sin(angle)
    a, b = cosine / across, (sine + slant * cosine) / across
    c, d = -sine / down, (cosine - slant * sine) / down
    middle_x, middle_y = width / 2, height / 2
    x0 = middle_x - a * (middle_x + right) - b * (middle_y + below)
    y0 = middle_y - c * (middle_x + right) - d * (middle_y + below)
    image = Image.fromarray(pixels[..., 0] if channels == 1 else pixels)
    moved = image.transform(
        (width, height),
        Image.Transform.AFFINE,
        (a, b, x0, c, d, y0),
        resample=Image.Resampling.BILINEAR,
        fillcolor=paper if channels == 1 else (paper,) * channels,
    )
    return np.asarray(moved, dtype=np.uint8).reshape(height, width, channels)
