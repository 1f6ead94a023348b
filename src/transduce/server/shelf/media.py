"""Recordings and pictures that a client sends, held to bounds before they wait for the engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from transduce.audio.quiet_cuts import windows
from transduce.audio.samples import not_too_loud, stream_samples
from transduce.audio.sound import SOUND_SECONDS
from transduce.config.audio import AudioConfig
from transduce.config.image import ImageConfig
from transduce.errors import DataError
from transduce.image.picture_files import opened, refuse_large
from transduce.reading.frames import FrameSource
from transduce.server.limits.request_errors import RequestError
from transduce.workflow.predicting.output import Output, joined

__all__ = ["Recorded", "checked_picture", "read_recording"]

_LONGEST = 1440.0  # minutes that a header may tell


@dataclass(frozen=True)
class Recorded:
    """A recording in the sources that it is answered by, one for each window of a long one."""

    sources: Sequence[FrameSource]
    seconds: Sequence[float]

    @property
    def duration(self) -> float:
        """Seconds of the whole."""
        return sum(self.seconds)

    def whole(self, answers: Sequence[list[Output]]) -> list[Output]:
        """The outputs of the recording, as ``predict`` has them. Raises RequestError."""
        for outputs in answers:
            if outputs[0].error:
                raise RequestError(outputs[0].error)
        return joined([self.shifted(n, outputs) for n, outputs in enumerate(answers)])

    def shifted(self, number: int, outputs: list[Output]) -> list[Output]:
        """The outputs of one window, its words at their times in the whole."""
        before = sum(self.seconds[:number])
        if not before:
            return outputs
        return [
            replace(
                output,
                words=tuple(
                    replace(w, start=round(w.start + before, 3), end=round(w.end + before, 3))
                    for w in output.words
                ),
            )
            for output in outputs
        ]


def read_recording(
    content: bytes, config: AudioConfig, most_seconds: float, *, together: bool
) -> Recorded:
    """Decoded block by block, and no further than ``most_seconds``.

    Windows stay ``together`` where one chooses what the others begin with. Raises RequestError
    (413) for a longer one, DataError for one that is damaged, silent or of no known format.
    """
    rate = config.sampling_rate
    most = most_seconds if config.cut_at is not None else min(most_seconds, config.max_minutes * 60)
    blocks, count = [], 0
    for block in stream_samples(content, rate, _LONGEST):
        count += len(block)
        if count > most * rate:
            raise RequestError(f"recording must have at most {most:g} seconds; got more", 413)
        blocks.append(block)
    samples = not_too_loud(np.concatenate(blocks))
    cut = [samples]
    if config.cut_at is not None and not together:
        cut = [not_too_loud(own) for own in windows([samples], rate, config.cut_at)]
    size = max(1, round(SOUND_SECONDS * rate))
    seconds = [-(-len(own) // size) * SOUND_SECONDS for own in cut]
    return Recorded([(own, rate) for own in cut], seconds)


def checked_picture(content: bytes, config: ImageConfig, pixels: int) -> bytes:
    """The content, once its header says that it is small enough.

    Raises RequestError (413) for more than ``pixels``, DataError for what is no picture.
    """
    with opened(content, config.model_copy(update={"max_pixels": 1 << 30})) as image:
        size = image.size
    most = min(pixels, config.max_pixels)
    try:
        refuse_large(size, config.model_copy(update={"max_pixels": most}), "content of a picture")
    except DataError as error:
        raise RequestError(str(error), 413) from None
    return content
