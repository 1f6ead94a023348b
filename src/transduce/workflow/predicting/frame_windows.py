"""Recordings and pictures in segments, one by one: what is read, what is decoded and what waits."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from transduce.audio.sound import Segment
from transduce.config import SearchConfig
from transduce.errors import DataError
from transduce.interfaces import Frames
from transduce.workflow.predicting.source_limits import SourceLimits

__all__ = ["HeldSegment", "frame_segments", "noted_segments"]


@dataclass(frozen=True)
class HeldSegment:
    """A segment of a source, its length and whether it is its last.

    None in place of the segment once it is decoded and not needed.
    """

    segment: Segment | None
    last: bool
    frames: int


def frame_segments(
    sources: Iterable[Any],
    read: Callable[[Any], Iterable[Segment]],
    options: SearchConfig,
    limits: SourceLimits,
    keep_going: bool,
) -> Iterator[HeldSegment | DataError]:
    """The segments of each source, as long as they may be.

    An error stands for a whole source, whatever segments of it came before; without ``keep_going``
    it is raised.
    """
    for source in sources:
        try:
            if isinstance(source, DataError):
                raise source
            yield from _segments(read(source), options.max_source_length, limits)
        except DataError as error:
            if not keep_going:
                raise
            yield error


def _segments(
    segments: Iterable[Segment], longest: int | None, limits: SourceLimits
) -> Iterator[HeldSegment]:
    """At most ``longest`` frames of all segments together; each says whether it is the last."""
    before: Segment | None = None
    left = longest
    for segment in segments:
        if left is not None:
            if left <= 0:
                break
            segment = segment.begin(left)
            left -= len(segment.frames)
        limits.check(len(segment.frames))
        if before is not None:
            yield HeldSegment(before, False, len(before.frames))
        before = segment
    if before is not None:
        yield HeldSegment(before, True, len(before.frames))


def noted_segments(
    segments: Iterable[HeldSegment | DataError],
    waiting: deque[HeldSegment | DataError],
    *,
    together: bool,
    timings: bool,
) -> Iterator[list[Frames]]:
    """What is decoded, each segment by itself or those of a source ``together``.

    Each is noted in ``waiting`` before it is given, with its frames where ``timings`` need them.
    """
    held: list[HeldSegment] = []
    for segment in segments:
        if isinstance(segment, DataError):
            held = []
            waiting.append(segment)
            continue
        held.append(segment)
        if segment.last or not together:
            waiting.extend(p if timings else replace(p, segment=None) for p in held)
            yield [p.segment.frames for p in held if p.segment is not None]
            held = []
