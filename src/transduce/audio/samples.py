"""Recordings as samples: WAV, FLAC, OGG and MP3 files of any rate and channels, and arrays.

Nothing that a header says is believed but the rate and the number of channels, which are held to
bounds: files are decoded and resampled block by block until they end, and no further than a
recording may be long.
"""

from __future__ import annotations

import io
import math
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from transduce.audio.decoder_notes import DecoderNotes
from transduce.audio.log_mel import Samples
from transduce.audio.mended import mended
from transduce.errors import DataError
from transduce.untrusted.given_arrays import as_array
from transduce.untrusted.opening import open_regular

if TYPE_CHECKING:
    from soundfile import SoundFile

__all__ = [
    "MOST_MINUTES",
    "array_samples",
    "not_too_loud",
    "read_samples",
    "recorded_rate",
    "resampled",
    "sample_count",
    "stream_samples",
]

MOST_MINUTES = 30.0  # of a recording, unless another limit is told

_BLOCK = 1 << 16  # samples decoded at once
_MOST_CHANNELS = 64
_MOST_RESAMPLED = 100  # times up or down
_LOUDEST = 1e6  # times full scale; integers in floats are quieter
_OVERFLOWING = np.float32(1e30)  # times full scale: no sum of some of it fits into a float
_CUT_SHORT = 1 << 10  # bytes that a header may promise too many
_MP3_SPARE = 4 * 1152  # samples
_UNTOLD = 0x7FFF0000  # sizes from here on mean that nobody knew: a stream
_CONTENT = "content of a recording"  # in place of a file's name
_HEADS = (b"RIFF", b"RIFX", b"RF64", b"fLaC", b"OggS", b"ID3", b"FORM", b".snd")
_PROMISED = re.compile(r"^\s*(?:data|SSND|Data Size)\s*: (\d+) \(should be (\d+)\)", re.MULTILINE)


def read_samples(
    path: str | Path | bytes, sampling_rate: int, most_minutes: float = MOST_MINUTES
) -> Samples:
    """A recording as one channel at ``sampling_rate`` hertz, float32 ``[N]``.

    Bytes are the content of a file. Channels are averaged. Raises DataError naming the file that
    is missing, empty, damaged, of another format, longer than ``most_minutes`` or silent (every
    sample the same).
    """
    return not_too_loud(np.concatenate(list(stream_samples(path, sampling_rate, most_minutes))))


def stream_samples(
    path: str | Path | bytes, sampling_rate: int, most_minutes: float = MOST_MINUTES
) -> Iterator[Samples]:
    """The same block by block, as loud as they are; what is wrong is raised as it is met."""
    with _opened(path) as file:
        path = _CONTENT if isinstance(path, bytes) else path
        rate = _rate(file, sampling_rate, path)
        _refuse_long(_told(file), rate, most_minutes, path)
        resampler = _Resampler(rate, sampling_rate)
        count, first, varied = 0, np.float32(0), False
        told = _told(file)
        for block in _decoded(file, told):
            samples = _one_channel(block, path)
            first = first if count else samples[0]
            count += len(samples)
            if count > most_minutes * 60 * rate:
                raise _too_long(most_minutes, "more", path)
            varied = varied or bool((samples != first).any())
            yield from resampler.add(samples)
        _refuse_silence(count, path, varied=varied)
        _refuse_cut(file, path)
        _refuse_short(file, told, count, path)
        yield from resampler.end(first)


def array_samples(
    values: ArrayLike, rate: int, sampling_rate: int, name: str = "recording"
) -> Samples:
    """The same for samples in memory: ``[N]`` or ``[N, channels]`` at ``rate`` hertz.

    Floats from -1 to 1, or integers, which are divided by the largest that their type holds.
    Raises DataError where they are not.
    """
    array = as_array(values, name)
    if not isinstance(rate, int | float | np.number):
        raise DataError(f"{name} must have a sampling rate in hertz; got {type(rate).__name__}")
    wide = array.ndim == 2 and array.shape[1] > _MOST_CHANNELS
    if array.ndim not in (1, 2) or not array.size or wide:
        raise DataError(
            f"{name} must be samples [N] or [N, channels], at least one; got {list(array.shape)}"
        )
    if array.dtype.kind == "i":
        array = array / -float(np.iinfo(array.dtype).min)
    elif array.dtype.kind != "f":
        raise DataError(f"{name} must be floats or signed integers; got {array.dtype}")
    if rate < 1:
        raise DataError(f"{name} must have a sampling rate of at least 1 hertz; got {rate}")
    _refuse_rate(rate, sampling_rate, name)
    with np.errstate(over="ignore"):  # what is beyond float32 is refused as infinite
        two = array.astype(np.float32).reshape(len(array), -1)
    samples = _one_channel(two, name)
    _refuse_silence(len(samples), name, varied=bool((samples != samples[0]).any()))
    return not_too_loud(resampled(samples, rate, sampling_rate))


def sample_count(path: str | Path, sampling_rate: int, most_minutes: float = MOST_MINUTES) -> int:
    """Samples that :func:`read_samples` gives, by the file's header alone where that tells.

    Some MP3 files say it only roughly. Raises DataError as there, but for what only reading finds.
    """
    with _opened(path) as file:
        rate = _rate(file, sampling_rate, path)
        count = _told(file)
        if count is None:  # FLAC of unknown length
            count = 0
            for block in _decoded(file, None):
                count += len(block)
                if count > most_minutes * 60 * rate:
                    raise _too_long(most_minutes, "more", path)
        _refuse_long(count, rate, most_minutes, path)
        _refuse_cut(file, path)
        return max(1, math.ceil(count * sampling_rate / rate))


def resampled(samples: Samples, rate: float, wanted: float) -> Samples:
    """Samples ``[N]`` of ``rate`` hertz at ``wanted`` hertz, band-limited (soxr, high quality)."""
    if rate == wanted:
        return samples
    import soxr  # lazy: an extra

    found: Samples = soxr.resample(samples, rate, wanted)
    return found if len(found) else samples[:1]


class _Resampler:
    """The same block by block; the samples are those of the whole at once, bit by bit."""

    def __init__(self, rate: int, wanted: int) -> None:
        self._stream: Any = None
        self._given = False
        if rate != wanted:
            import soxr  # lazy: an extra

            self._stream = soxr.ResampleStream(rate, wanted, 1, dtype="float32")

    def add(self, samples: Samples) -> Iterator[Samples]:
        if self._stream is not None:
            samples = self._stream.resample_chunk(samples)
        if len(samples):
            self._given = True
            yield samples

    def end(self, first: np.float32) -> Iterator[Samples]:
        if self._stream is not None:
            rest = self._stream.resample_chunk(np.empty(0, np.float32), last=True)
            if len(rest):
                self._given = True
                yield rest
        if not self._given:  # a sample at least
            yield np.array([first], np.float32)


# ---------------------------------------------------------------- what is wrong


def _one_channel(channels: Samples, name: str | Path) -> Samples:
    """``[N, channels]`` to ``[N]``."""
    with np.errstate(over="ignore", invalid="ignore"):
        samples: Samples = channels[:, 0] if channels.shape[1] == 1 else channels.mean(axis=1)
    if not np.isfinite(samples).all() or not np.isfinite(channels).all():
        raise DataError("recording must hold numbers; got NaN or infinity", file=name)
    clipped: Samples = np.clip(samples, -_OVERFLOWING, _OVERFLOWING)
    return clipped


def not_too_loud(samples: Samples) -> Samples:
    """At full scale what is louder than a million times that: its squares would fit no float."""
    peak = float(np.abs(samples).max())
    return samples if peak <= _LOUDEST else samples / np.float32(peak)


def _refuse_silence(count: int, name: str | Path, *, varied: bool) -> None:
    if not count:
        raise DataError("recording must hold samples; got none", file=name)
    if not varied:
        raise DataError("recording must hold sound; got silence", file=name)


def _refuse_long(count: int | None, rate: float, most_minutes: float, name: str | Path) -> None:
    """Where the header tells the length, or None."""
    if count is not None and count > most_minutes * 60 * rate:
        raise _too_long(most_minutes, f"{count / rate / 60:,.1f}", name)


def _too_long(most_minutes: float, got: str, name: str | Path) -> DataError:
    return DataError(
        f"recording must have at most {most_minutes:g} minutes (data.input.max_minutes); got {got}",
        file=name,
    )


def _refuse_rate(rate: int, sampling_rate: int, name: str | Path) -> None:
    least = max(1, sampling_rate // _MOST_RESAMPLED)
    if not least <= rate <= sampling_rate * _MOST_RESAMPLED:
        raise DataError(
            f"recording must have a sampling rate of {least:,} to "
            f"{sampling_rate * _MOST_RESAMPLED:,} hertz, as it becomes {sampling_rate:,}; "
            f"got {rate:,}",
            file=name,
        )


def _refuse_cut(file: SoundFile, path: str | Path) -> None:
    """Where a header promises more bytes than there are; one that was written first may not."""
    for promised, there in _PROMISED.findall(file.extra_info):
        if int(there) + _CUT_SHORT < int(promised) < _UNTOLD:
            raise DataError(
                f"recording must be whole; got {int(there):,} of {int(promised):,} bytes",
                file=path,
            )


def _refuse_short(file: SoundFile, told: int | None, count: int, path: str | Path) -> None:
    """Where fewer samples came than are told by a format that tells them exactly."""
    if told is None or file.format not in ("FLAC", "MP3"):
        return
    # Damage within an MP3 takes some frames along.
    spare = 0 if file.format == "FLAC" else max(min(_MP3_SPARE, told // 4), told // 100)
    if count + spare < told:
        raise DataError(f"recording must be whole; got {count:,} of {told:,} samples", file=path)


# ---------------------------------------------------------------- files


def recorded_rate(path: str | Path) -> int:
    """Samples a second of a file, by its header. Raises DataError."""
    with _opened(path) as file:
        return int(file.samplerate)


def _rate(file: SoundFile, sampling_rate: int, path: str | Path) -> int:
    rate = int(file.samplerate)
    _refuse_rate(rate, sampling_rate, path)
    if file.channels > _MOST_CHANNELS:
        raise DataError(
            f"recording must have at most {_MOST_CHANNELS} channels; got {file.channels:,}",
            file=path,
        )
    return rate


def _told(file: SoundFile) -> int | None:
    """How many samples the header tells of; None where it does not."""
    count = int(file.frames)
    return count if 0 <= count < 1 << 62 else None


def _decoded(file: SoundFile, told: int | None) -> Iterator[Samples]:
    """Blocks ``[N, channels]`` up to the end; no sample is asked for beyond those that are told.

    Behind these a tag may stand that is no sound.
    """
    most, left = _BLOCK // max(1, file.channels), told
    while left is None or left > 0:
        block = file.read(most if left is None else min(most, left), "float32", always_2d=True)
        if not len(block):
            return
        left = None if left is None else left - len(block)
        yield block


@contextmanager
def _opened(path: str | Path | bytes) -> Iterator[SoundFile]:
    """The file, only its header read yet; errors of any use become DataError."""
    soundfile = _library()
    name = _CONTENT if isinstance(path, bytes) else path
    try:
        with io.BytesIO(path) if isinstance(path, bytes) else open_regular(path) as stream:
            notes = DecoderNotes(head := stream.read(4))
            _refuse_other(head, name)
            whole: Any = mended(stream, str(name))
            if whole is stream and not isinstance(path, bytes):
                os.lseek(stream.fileno(), 0, os.SEEK_SET)
                whole = stream.fileno()
            with _forward(soundfile, notes)(whole) as file:
                yield file
    except OSError as error:
        message = f"recording must be a readable file; got {error.strerror or error}"
        raise DataError(message, file=name) from None
    except soundfile.LibsndfileError as error:
        raise _damaged(error.error_string.rstrip("."), name) from None
    notes.tell(name if isinstance(path, bytes) else Path(path))


def _refuse_other(head: bytes, path: str | Path) -> None:
    """Where the first bytes are none of a recording."""
    if not head:
        raise DataError("recording must be an audio file; got an empty file", file=path)
    is_mp3 = head[0] == 0xFF and len(head) > 1 and head[1] >= 0xE0
    if not (is_mp3 or head.startswith(_HEADS)):
        raise _damaged("Format not recognised", path)


def _forward(soundfile: Any, notes: DecoderNotes) -> Any:
    """The library's class, which after each block seeks to where it is: some files permit none."""

    class ForwardOnly(soundfile.SoundFile):  # type: ignore[misc]
        def __init__(self, file: Any) -> None:
            with notes.caught():
                super().__init__(file, closefd=False)

        def seekable(self) -> bool:
            return False

        def read(self, frames: int, dtype: str, always_2d: bool) -> Any:
            with notes.caught():
                return super().read(frames, dtype, always_2d)

    return ForwardOnly


def _damaged(detail: str, path: str | Path) -> DataError:
    message = f"recording must be a whole WAV, FLAC, OGG or MP3 file; got: {detail}"
    return DataError(message, file=path)


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
