"""Sources that are not text: what turns a recording or a picture into frames."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from transduce.audio.reader import AudioReader, Recording
from transduce.audio.sound import Segment
from transduce.config.audio import AudioConfig
from transduce.config.data import DataConfig, InputConfig
from transduce.config.image import ImageConfig
from transduce.errors import DataError
from transduce.image.pixels import Pixels
from transduce.image.reader import ImageReader
from transduce.reading.sources import sources_or_errors

if TYPE_CHECKING:
    from transduce.interfaces import Frames  # whose module loads torch

__all__ = [
    "FrameReader",
    "FrameSource",
    "files_in",
    "frame_reader",
    "read_frame_sources",
    "what_is_wrong",
]

# What a person may give: a path, an array, or (recordings) an array with its sampling rate, or
# the bytes of a file.
FrameSource = Recording


@runtime_checkable
class FrameReader(Protocol):
    """A kind of source. Sources of files are strings, as they stand in a manifest."""

    features: int  # numbers of a frame, F
    suffixes: tuple[str, ...]  # of files, in small letters
    frames_a_second: float | None  # None where frames have nothing to do with time

    def length(self, source: str) -> int:
        """Frames of a file, from its header where that tells. Raises DataError."""
        ...

    def read(self, source: FrameSource) -> Frames:
        """Float32 ``[S, F]``. Raises DataError naming the file and what is wrong."""
        ...

    def segments(self, source: FrameSource, *, sound: bool = True) -> Iterable[Segment]:
        """The same in the segments that outputs are made of one by one; most have only one.

        ``sound`` asks where in them something is heard.
        """
        ...

    def seen(self, source: FrameSource) -> Pixels | None:
        """Its pixels, uint8 ``[Y, X, C]``, not to be written to; None where nothing is seen."""
        ...

    def augmented(self, source: str, seed: int, epoch: int, index: int) -> Frames:
        """The same, changed as the config says; all of it follows from the three numbers."""
        ...

    def located(self, source: str, folder: Path) -> str:
        """The source with its relative paths taken from ``folder``."""
        ...


def what_is_wrong(error: DataError) -> str:
    """The message with the file's name behind it, for a list in which its path is too long."""
    if error.file is None:
        return str(error)
    return f"{str(error).removeprefix(f'{error.file}: ')} ({Path(error.file).name})"


def files_in(folder: Path, reader: FrameReader) -> Iterator[Path]:
    """The recordings (or pictures) below a folder, by name."""
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in reader.suffixes)
    return (path for path in found if os.path.isfile(path) and not _is_hidden(path, folder))


def _is_hidden(path: Path, folder: Path) -> bool:
    """Whether it is like the ``._0.wav`` that macOS writes beside ``0.wav`` on foreign disks."""
    return any(name.startswith(".") for name in path.relative_to(folder).parts)


def read_frame_sources(
    paths: Sequence[str], config: DataConfig, reader: FrameReader
) -> Iterator[str | DataError]:
    """What is to be predicted: each path is a source, a folder of such, or a list of paths.

    A list is read as :func:`~transduce.reading.sources.sources_or_errors` reads texts, and its
    relative paths are taken from its folder (from the current one for standard input, ``-``).
    An error stands in the place of a line that names no source. Raises DataError where a list or
    a folder cannot be read.
    """
    for path in paths:
        if Path(path).suffix.lower() in reader.suffixes:
            yield path
        elif os.path.isdir(path):
            found = False
            for found_path in files_in(Path(path), reader):
                found = True
                yield str(found_path)
            if not found:
                known = ", ".join(reader.suffixes)
                raise DataError(f"folder must hold a file named {known}; got none", file=path)
        else:
            folder = Path() if path == "-" else Path(path).parent
            for number, source in enumerate(sources_or_errors(path, config), 1):
                if isinstance(source, DataError):
                    yield source
                elif source.strip():
                    yield reader.located(source, folder)
                else:
                    message = "line must be the path of a source; got nothing"
                    yield DataError(message, file=path, line=number)


def frame_reader(config: DataConfig) -> FrameReader | None:
    """What reads the sources of a recipe; None where they are text.

    Equal options have one reader, so that what it keeps serves all passes over the files.
    """
    return _reader(config.input)


@lru_cache(maxsize=2)
def _reader(options: InputConfig) -> FrameReader | None:
    match options:
        case AudioConfig() as audio:
            return AudioReader(audio)
        case ImageConfig() as image:
            return ImageReader(image)
        case _:
            return None
