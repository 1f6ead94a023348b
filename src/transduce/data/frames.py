"""Sources that are not text: what turns a recording or a picture into frames."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from transduce.config_audio import AudioConfig
from transduce.config_data import DataConfig
from transduce.config_image import ImageConfig
from transduce.data.audio_reader import AudioReader
from transduce.data.image_reader import ImageReader

__all__ = ["FrameReader", "FrameSource", "Frames", "frame_reader"]

Frames = NDArray[np.float32]  # [S, F]
# What a person may give: a path, an array, or (recordings) an array with its sampling rate.
FrameSource = str | Path | NDArray[Any] | tuple[NDArray[Any], int]


class FrameReader(Protocol):
    """A kind of source. Sources of files are strings, as they stand in a manifest."""

    features: int  # numbers of a frame, F
    suffixes: tuple[str, ...]  # of files, in small letters

    def length(self, source: str) -> int:
        """Frames of a file, from its header where that tells. Raises DataError."""
        ...

    def read(self, source: FrameSource) -> Frames:
        """Float32 ``[S, F]``. Raises DataError naming the file and what is wrong."""
        ...

    def augmented(self, source: str, seed: int, epoch: int, index: int) -> Frames:
        """The same, changed as the config says; all of it follows from the three numbers."""
        ...

    def located(self, source: str, folder: Path) -> str:
        """The source with its relative paths taken from ``folder``."""
        ...


def frame_reader(config: DataConfig) -> FrameReader | None:
    """What reads the sources of a recipe; None where they are text."""
    match config.input:
        case AudioConfig() as audio:
            return AudioReader(audio)
        case ImageConfig() as image:
            return ImageReader(image)
        case _:
            return None
