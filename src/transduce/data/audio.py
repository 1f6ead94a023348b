"""Recordings as samples: WAV, FLAC, OGG and MP3 files of any rate and channels, and arrays."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from transduce.data.log_mel import Samples
from transduce.errors import DataError

if TYPE_CHECKING:
    from soundfile import SoundFile

__all__ = ["array_samples", "read_samples", "resampled", "sample_count"]


def read_samples(path: str | Path, sampling_rate: int) -> Samples:
    """A recording as one channel at ``sampling_rate`` hertz, float32 ``[N]``.

    Channels are averaged. Raises DataError naming the file that is missing, empty, damaged, of
    another format or silent (every sample the same).
    """
    with _opened(path) as file:
        samples = file.read(dtype="float32", always_2d=True)
        rate = file.samplerate
    return _usable(samples, rate, sampling_rate, str(path))


def array_samples(
    values: ArrayLike, rate: int, sampling_rate: int, name: str = "recording"
) -> Samples:
    """The same for samples in memory: ``[N]`` or ``[N, channels]`` at ``rate`` hertz.

    Floats from -1 to 1, or integers, which are divided by the largest that their type holds.
    Raises DataError where they are not.
    """
    array = np.asarray(values)
    if array.ndim not in (1, 2) or not array.size or (array.ndim == 2 and array.shape[1] > 64):
        raise DataError(
            f"{name} must be samples [N] or [N, channels], at least one; got {list(array.shape)}"
        )
    if array.dtype.kind == "i":
        array = array / -float(np.iinfo(array.dtype).min)
    elif array.dtype.kind != "f":
        raise DataError(f"{name} must be floats or signed integers; got {array.dtype}")
    if rate < 1:
        raise DataError(f"{name} must have a sampling rate of at least 1 hertz; got {rate}")
    two = array.astype(np.float32).reshape(len(array), -1)
    return _usable(two, rate, sampling_rate, name)


def sample_count(path: str | Path, sampling_rate: int) -> int:
    """Samples that :func:`read_samples` gives, by the file's header alone.

    Some MP3 files say it only roughly. Raises DataError as there, but for what only reading finds.
    """
    with _opened(path) as file:
        return max(1, math.ceil(int(file.frames) * sampling_rate / int(file.samplerate)))


def resampled(samples: Samples, rate: float, wanted: float) -> Samples:
    """Samples ``[N]`` of ``rate`` hertz at ``wanted`` hertz, band-limited (soxr, high quality)."""
    if rate == wanted:
        return samples
    import soxr  # lazy: an extra

    found: Samples = soxr.resample(samples, rate, wanted)
    return found if len(found) else samples[:1]


def _usable(channels: Samples, rate: int, wanted: int, name: str) -> Samples:
    if not len(channels):
        raise DataError("recording must hold samples; got none", file=name)
    if not np.isfinite(channels).all():
        raise DataError("recording must hold numbers; got NaN or infinity", file=name)
    samples = channels[:, 0] if channels.shape[1] == 1 else channels.mean(axis=1)
    if samples.min() == samples.max():
        raise DataError("recording must hold sound; got silence", file=name)
    return resampled(np.ascontiguousarray(samples), rate, wanted)


@contextmanager
def _opened(path: str | Path) -> Iterator[SoundFile]:
    """The file, only its header read yet; errors of any use become DataError."""
    soundfile = _library()
    try:
        with open(path, "rb") as stream:
            if not stream.read(1):
                raise DataError("recording must be an audio file; got an empty file", file=path)
            stream.seek(0)
            with soundfile.SoundFile(stream) as file:
                yield file
    except OSError as error:
        message = f"recording must be a readable file; got {error.strerror or error}"
        raise DataError(message, file=path) from None
    except soundfile.LibsndfileError as error:
        raise DataError(
            "recording must be a whole WAV, FLAC, OGG or MP3 file; "
            f"got: {error.error_string.rstrip('.')}",
            file=path,
        ) from None


def _library() -> Any:
    try:
        import soundfile
        import soxr  # noqa: F401 (needed as soon as a rate differs)
    except ModuleNotFoundError as error:
        raise DataError(
            f"recordings must be read with {error.name}, which is not installed: "
            "pip install 'transduce[audio]'"
        ) from None
    return soundfile
