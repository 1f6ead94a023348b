"""From a picture's path to frames: its columns of pixels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from transduce.config_image import ImageConfig
from transduce.data.augmentation import augmented
from transduce.data.image import array_pixels, picture_width, read_pixels, to_frames
from transduce.data.log_mel import Frames
from transduce.errors import DataError

__all__ = ["ImageReader"]


class ImageReader:
    """Pictures as columns. In memory a source is an array of pixels (see ``array_pixels``)."""

    suffixes: tuple[str, ...] = (".png", ".jpg", ".jpeg", ".webp")

    def __init__(self, config: ImageConfig) -> None:
        self.config = config
        self.features = config.features

    def length(self, source: str) -> int:
        """Columns, by the file's header where that tells. Raises DataError."""
        return picture_width(source, self.config)

    def read(self, source: str | Path | NDArray[Any] | tuple[NDArray[Any], int]) -> Frames:
        """Float32 ``[S, F]``. Raises DataError naming the file and what is wrong."""
        if isinstance(source, tuple):
            raise DataError("picture must be a path or an array of pixels; got a tuple")
        if isinstance(source, str | Path):
            return to_frames(read_pixels(source, self.config), self.config)
        return to_frames(array_pixels(source, self.config), self.config)

    def augmented(self, source: str, seed: int, epoch: int, index: int) -> Frames:
        """The same, changed as ``augmentation`` says."""
        pixels = read_pixels(source, self.config)
        return to_frames(augmented(pixels, self.config, seed, epoch, index), self.config)

    def located(self, source: str, folder: Path) -> str:
        """The source with a relative path taken from ``folder``."""
        return str(folder / source)
