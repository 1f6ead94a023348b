"""Recordings and pictures in parts, one by one: what is read, what is decoded and what waits."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from transduce.audio.sound import Segment
from transduce.config import SearchConfig
from transduce.errors import DataError
from transduce.interfaces import Frames
from transduce.workflow.predicting.source_limits import SourceLimits

__all__ = ["FramePart", "frame_parts", "noted_parts"]


@dataclass(frozen=True)
class FramePart:
    """A part of a source and whether it is its last; None once it is decoded and not needed."""

    heard: Segment | None
    last: bool


def frame_parts(
    sources: Iterable[Any],
    read: Callable[[Any], Iterable[Segment]],
    options: SearchConfig,
    limits: SourceLimits,
    keep_going: bool,
) -> Iterator[FramePart | DataError]:
    """The parts of each source, as long as they may be.

    An error stands for a whole source, whatever parts of it came before; without ``keep_going``
    it is raised.
    """
    for source in sources:
        try:
            if isinstance(source, DataError):
                raise source
            yield from _parts(read(source), options.max_source_length, limits)
        except DataError as error:
            if not keep_going:
                raise
            yield error


def _parts(
    heard: Iterable[Segment], longest: int | None, limits: SourceLimits
) -> Iterator[FramePart]:
    """At most ``longest`` frames of all parts together; each part says whether it is the last."""
    before: Segment | None = None
    left = longest
    for part in heard:
        if left is not None:
            if left <= 0:
                break
            part = part.begin(left)
            left -= len(part.frames)
        limits.check(len(part.frames))
        if before is not None:
            yield FramePart(before, last=False)
        before = part
    if before is not None:
        yield FramePart(before, last=True)


def noted_parts(
    parts: Iterable[FramePart | DataError],
    waiting: deque[FramePart | DataError],
    *,
    together: bool,
    timings: bool,
) -> Iterator[list[Frames]]:
    """What is decoded, each part by itself or those of a source ``together``.

    Each is noted in ``waiting`` before it is given, with its frames where ``timings`` need them.
    """
    held: list[FramePart] = []
    for part in parts:
        if isinstance(part, DataError):
            held = []
            waiting.append(part)
            continue
        held.append(part)
        if part.last or not together:
            waiting.extend(p if timings else FramePart(None, p.last) for p in held)
            yield [p.heard.frames for p in held if p.heard is not None]
            held = []
