"""From a picture's path to frames: its columns of pixels."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from transduce.audio.sound import Segment
from transduce.config.image import ImageConfig
from transduce.errors import DataError
from transduce.image.augmentation import augmented
from transduce.image.pixels import Pixels, array_pixels, picture_width, read_pixels, to_frames

if TYPE_CHECKING:
    from transduce.interfaces import Frames  # whose module loads torch

__all__ = ["ImageReader", "PictureSource"]

# A path, a file's content, pixels, or a picture of PIL; recordings have more, which are refused.
PictureSource = str | Path | bytes | NDArray[Any] | tuple[Any, Any]

_KEPT_BYTES = 256 << 20
_ENTRY_BYTES = 400  # of a kept picture, beside its pixels


class ImageReader:
    """Pictures as columns. In memory a source is an array of pixels (see ``array_pixels``).

    Unpacking a page takes far longer than reading it as it is after scaling, so the pixels of
    the first pictures are kept, 256 MiB of them: training reads all it can from there from the
    second epoch on. A file that has changed is read anew.
    """

    suffixes: tuple[str, ...] = (".png", ".jpg", ".jpeg", ".webp")

    def __init__(self, config: ImageConfig) -> None:
        self.config = config
        self.features = config.features
        self.frames_a_second: float | None = None
        self._kept: dict[str, tuple[tuple[int, int], Pixels]] = {}
        self._room = _KEPT_BYTES

    def length(self, source: str) -> int:
        """Columns, by the file's header where that tells. Raises DataError."""
        if self.config.trim and self.config.width is None:
            return int(self.pixels(source).shape[1])
        return picture_width(source, self.config)

    def read(self, source: PictureSource) -> Frames:
        """Float32 ``[S, F]``. Raises DataError naming the file and what is wrong."""
        return to_frames(self.pixels(source), self.config)

    def segments(self, source: PictureSource, *, sound: bool = False) -> list[Segment]:
        """The whole picture."""
        return [Segment(self.read(source))]

    def seen(self, source: PictureSource) -> Pixels:
        """The pixels that are read."""
        return self.pixels(source)

    def augmented(self, source: str, seed: int, epoch: int, index: int) -> Frames:
        """The same, changed as ``augmentation`` says."""
        pixels = augmented(self.pixels(source), self.config, seed, epoch, index)
        return to_frames(pixels, self.config)

    def located(self, source: str, folder: Path) -> str:
        """The source with a relative path taken from ``folder``."""
        return str(folder / source)

    def pixels(self, source: PictureSource) -> Pixels:
        """What is seen of it, uint8 ``[Y, X, C]``, not to be written to. Raises DataError."""
        if isinstance(source, tuple):
            raise DataError("picture must be a path, bytes of a file or pixels; got a tuple")
        if isinstance(source, bytes):
            return read_pixels(source, self.config)
        if not isinstance(source, str | Path):
            return array_pixels(source, self.config)
        name, state = str(source), _state(source)
        kept = self._kept.get(name)
        if kept is not None and kept[0] == state:
            return kept[1]
        pixels = read_pixels(source, self.config)
        cost = pixels.nbytes + len(name) + _ENTRY_BYTES
        if kept is None and state is not None and cost <= self._room:
            self._room -= cost
            self._kept[name] = (state, pixels)
        return pixels


def _state(path: str | Path) -> tuple[int, int] | None:
    """What is another when a file has changed; None where there is no file, as reading will say."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return None
    return found.st_mtime_ns, found.st_size
