"""Sources that are not text: what turns a recording or a picture into frames."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

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
    "FileCheck",
    "FrameReader",
    "FrameSource",
    "JoinedFiles",
    "beside_reader",
    "file_check",
    "files_in",
    "frame_reader",
    "inputs_of",
    "read_frame_sources",
    "what_is_wrong",
]

# What a person may give: a path, an array, or (recordings) an array with its sampling rate, or
# the bytes of a file; of a source with two inputs a pair of these.
FrameSource = Recording

_BETWEEN = "\t"  # two inputs, as columns are joined


class FileCheck(Protocol):
    """What finds out whether the files of a source are there, and sound."""

    def length(self, source: str) -> int:
        """Frames of a file, from its header where that tells. Raises DataError."""
        ...

    def read(self, source: str) -> object:
        """All of it. Raises DataError naming the file and what is wrong."""
        ...

    def located(self, source: str, folder: Path) -> str:
        """The source with its relative paths taken from ``folder``."""
        ...


@runtime_checkable
class FrameReader(FileCheck, Protocol):
    """A kind of source. Sources of files are strings, as they stand in a manifest."""

    features: int  # numbers of a frame, F
    suffixes: tuple[str, ...]  # of files, in small letters
    frames_a_second: float | None  # None where frames have nothing to do with time

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


class JoinedFiles:
    """The ``FileCheck`` of sources with two inputs, a tab between them; None reads texts."""

    def __init__(self, first: FileCheck | None, second: FileCheck | None) -> None:
        self._checks = first, second

    def length(self, source: str) -> int:
        """Frames of both, none of a text."""
        pairs = zip(self._checks, inputs_of(source), strict=True)
        return sum(0 if check is None else check.length(own) for check, own in pairs)

    def read(self, source: str) -> None:
        """Both, a text being sound."""
        for check, own in zip(self._checks, inputs_of(source), strict=True):
            if check is not None:
                check.read(own)

    def located(self, source: str, folder: Path) -> str:
        """The source with the relative paths of both taken from ``folder``."""
        pairs = zip(self._checks, inputs_of(source), strict=True)
        return _BETWEEN.join(
            own if check is None else check.located(own, folder) for check, own in pairs
        )


def inputs_of(source: FrameSource) -> tuple[Any, Any]:
    """The two inputs of a source: a pair of them, or a text in which a tab stands between them.

    Raises DataError for anything else.
    """
    if isinstance(source, str):
        first, tab, second = source.partition(_BETWEEN)
        if tab:
            return first, second
        got = "no tab"
    elif isinstance(source, tuple) and len(source) == 2:
        return source[0], source[1]
    else:
        got = type(source).__name__
    raise DataError(f"source must be two inputs, a pair or a tab between them; got {got}")


def file_check(config: DataConfig) -> FileCheck | None:
    """What finds out whether the files of a recipe's sources are there; None where all is text."""
    if config.beside is None:
        return _reader(config.input)
    return JoinedFiles(_reader(config.input), _reader(config.beside))


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
    """What reads the sources of a recipe, of two inputs the first; None where they are text.

    Equal options have one reader, so that what it keeps serves all passes over the files.
    """
    return _reader(config.input)


def beside_reader(config: DataConfig) -> FrameReader | None:
    """What reads the second input; None where it is text."""
    return None if config.beside is None else _reader(config.beside)


@lru_cache(maxsize=4)
def _reader(options: InputConfig) -> FrameReader | None:
    match options:
        case AudioConfig() as audio:
            return AudioReader(audio)
        case ImageConfig() as image:
            return ImageReader(image)
        case _:
            return None
