"""Pictures of strings of handwritten digits, with manifests, for the recipe digits-image.

    python recipes/digits_image.py data/digits

The digits are real: 1,797 pictures of 8 by 8 that scikit-learn brings along (some of the
Optical Recognition of Handwritten Digits data set, Alpaydin & Kaynak 1998; pip install
'transduce[sklearn,image]'). Of every six in its order the fifth is for dev, the sixth for
test and the others for training, so no picture of a dev or test digit is in a training string.
Strings have 1 to 8 digits (``--longest``); those of training strings differ a little in slant,
angle and size.

It writes the pictures and FOLDER/{train,dev,test}.tsv, a line each: its path, its digits.

    python recipes/digits_image.py data/commands --commands

With ``--commands`` a line has a command in words between the two, and the answer in the place of
the digits ("the last digit", 7): the data of a model that reads a picture and a text together.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_digits

from transduce.config.image import ImageAugmentationConfig, ImageConfig
from transduce.image.augmentation import augmented

SIDE, HEIGHT = 16, 20  # pixels of a digit and of a line
SPLITS = {"train": (0, 1, 2, 3), "dev": (4,), "test": (5,)}  # remainders of a digit's number by 6
DISTORTION = ImageConfig(
    height=SIDE, augmentation=ImageAugmentationConfig(rotation=8, slant=12, scale=0.15, shift=0.04)
)

Pixels = NDArray[np.uint8]
COMMANDS: dict[str, Callable[[str], str]] = {
    "all digits": lambda digits: digits,
    "all digits reversed": lambda digits: digits[::-1],
    "the first digit": lambda digits: digits[0],
    "the last digit": lambda digits: digits[-1],
    "the largest digit": max,
    "how many digits": lambda digits: str(len(digits)),
    "the sum": lambda digits: str(sum(map(int, digits))),
}


def digits_of(split: str) -> tuple[Pixels, NDArray[np.int64]]:
    """The digits of a split, black on white ``[N, 16, 16]``, and what they are ``[N]``."""
    data = load_digits()
    chosen = np.flatnonzero(np.isin(np.arange(len(data.target)) % 6, SPLITS[split]))
    small = (255 - data.images[chosen] * 255 / 16).astype(np.uint8)
    large = [
        np.asarray(Image.fromarray(picture).resize((SIDE, SIDE), Image.Resampling.BILINEAR))
        for picture in small
    ]
    return np.stack(large), data.target[chosen]


def composed(pictures: Sequence[Pixels], chance: np.random.Generator) -> Pixels:
    """One line ``[20, X]`` of some digits: gaps and heights vary, strokes may nearly touch."""
    gaps = chance.integers(-2, 4, len(pictures))
    lefts = 2 + np.cumsum(gaps + SIDE) - SIDE - gaps[0]
    line = np.full((HEIGHT, int(lefts[-1]) + SIDE + 2), 255, np.uint8)
    for picture, left, top in zip(
        pictures, lefts, chance.integers(0, HEIGHT - SIDE + 1, len(pictures)), strict=True
    ):
        place = line[top : top + SIDE, left : left + SIDE]
        np.minimum(place, picture, out=place)
    return line


def write_split(
    folder: Path, split: str, count: int, seed: int, longest: int, *, commands: bool
) -> None:
    """Write ``count`` pictures of strings and their manifest, with ``commands`` one for each."""
    pictures, labels = digits_of(split)
    chance = np.random.default_rng([seed, sorted(SPLITS).index(split)])
    (folder / split).mkdir(parents=True, exist_ok=True)
    lines = []
    for number in range(count):
        chosen = chance.integers(0, len(labels), chance.integers(1, longest + 1))
        drawn = [pictures[digit] for digit in chosen]
        if split == "train":
            drawn = [
                augmented(picture[..., None], DISTORTION, seed, place, number)[..., 0]
                for place, picture in enumerate(drawn)
            ]
        name = f"{split}/{number:06}.png"
        Image.fromarray(composed(drawn, chance)).save(folder / name)
        digits = "".join(str(labels[digit]) for digit in chosen)
        if commands:
            command = list(COMMANDS)[chance.integers(len(COMMANDS))]
            lines.append(f"{name}\t{command}\t{COMMANDS[command](digits)}\n")
        else:
            lines.append(f"{name}\t{digits}\n")
    (folder / f"{split}.tsv").write_text("".join(lines), encoding="utf-8")


def main() -> None:
    """Read the command line and write all splits."""
    parser = argparse.ArgumentParser(description="Write pictures of strings of digits.")
    parser.add_argument("folder", type=Path, help="where the pictures and manifests go")
    parser.add_argument("--train", type=int, default=20_000, help="training strings (20,000)")
    parser.add_argument("--dev", type=int, default=500, help="dev strings (500)")
    parser.add_argument("--test", type=int, default=2000, help="test strings (2,000)")
    parser.add_argument("--longest", type=int, default=8, help="digits of a string at most (8)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--commands", action="store_true", help="a command and its answer for each")
    options = parser.parse_args()
    for split in SPLITS:
        count = getattr(options, split)
        rest = options.seed, options.longest
        write_split(options.folder, split, count, *rest, commands=options.commands)
        print(f"{options.folder / split}.tsv: {getattr(options, split):,} strings")


if __name__ == "__main__":
    main()
