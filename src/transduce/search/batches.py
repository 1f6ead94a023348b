"""Decoding any number of sentences: packed by length, given back in order."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
import torch

from transduce.config import SearchConfig
from transduce.errors import SearchError
from transduce.interfaces import Frames, JoinedRow, Source, Stepper
from transduce.kernels.running.beam_plans import decoded_together
from transduce.search.decode import decode
from transduce.search.demands import asks_attention
from transduce.search.hypothesis import Hypothesis
from transduce.search.retrace import Retracing, retrace
from transduce.search.rules.constraints import Constraints, check

__all__ = ["decode_all", "read_ahead", "row_length"]

T = TypeVar("T")
Row = Sequence[int] | Frames | JoinedRow

_AHEAD = 1 << 24  # numbers of frames read ahead: 64 MB


def decode_all(
    stepper: Stepper[Any],
    sources: Iterable[Row],
    options: SearchConfig,
    constraints: Constraints | None = None,
    *,
    device: torch.device | str = "cpu",
    window: int = 1024,
    numbers: Iterable[int] | None = None,
    retracing: Retracing | None = None,
) -> Iterator[list[Hypothesis]]:
    """The outputs of each source, in the order of ``sources``, as they come.

    ``sources`` holds token lists without END, frames ``[S, F]``, or two of these joined. ``window``
    of them (fewer
    where they are large) are read ahead, sorted by length and decoded in batches of at most
    ``options.batch_tokens`` source tokens or frames (padding counted) times hypotheses a sentence;
    memory does not grow with the number of sources.
    A window of 1 gives each output before the next source is read. ``numbers`` names the sources
    for random draws (0, 1, … unless given), so neither window nor batches change them.
    ``retracing`` asks what the model thought at each token of what it found: a second reading.

    Raises SearchError, for options that contradict each other before anything is read.
    """
    if window < 1:
        raise SearchError(f"window must be at least 1; got {window}")
    check(options, constraints or Constraints())
    names = itertools.count() if numbers is None else iter(numbers)
    searching = _Searching(stepper, options, constraints, device, retracing)
    return _windows(searching, iter(sources), window, names)


@dataclass(frozen=True)
class _Searching:
    """What finds the outputs of one batch, and reads them once more where that is asked for."""

    stepper: Stepper[Any]
    options: SearchConfig
    constraints: Constraints | None
    device: torch.device | str
    retracing: Retracing | None

    def __call__(self, source: Source, numbers: Sequence[int]) -> list[list[Hypothesis]]:
        source, stepper, asked = source.to(self.device), self.stepper, self.retracing
        if asked is None:
            return decode(stepper, source, self.options, self.constraints, numbers)
        source = (self.constraints or Constraints()).listed(source, self.options)
        with torch.no_grad():
            attention = asked.attention or asks_attention(self.options)
            state = stepper.start(source, attention=attention)
        found = decode(stepper, source, self.options, self.constraints, numbers, state)
        return retrace(stepper, source, found, asked, state)


def _windows(
    searching: _Searching,
    sources: Iterator[Row],
    window: int,
    names: Iterator[int],
) -> Iterator[list[Hypothesis]]:
    while ahead := read_ahead(sources, window, _numbers):
        outputs: list[list[Hypothesis]] = [[] for _ in ahead]
        own = list(itertools.islice(names, len(ahead)))
        for places in _packed([row_length(item) for item in ahead], searching.options):
            source = _padded([ahead[place] for place in places])
            found = searching(source, [own[place] for place in places])
            for place, hypotheses in zip(places, found, strict=True):
                outputs[place] = hypotheses
        yield from outputs


def _packed(lengths: Sequence[int], options: SearchConfig) -> Iterator[list[int]]:
    """Places of sentences (lengths count END) that are decoded together, longest first."""
    lanes, width = options.lanes
    return decoded_together(lengths, options.batch_tokens, lanes * width)


def read_ahead(items: Iterator[T], window: int, numbers: Callable[[T], int]) -> list[T]:
    """The next items, as many as ``window`` and memory allow; ``numbers`` says what one holds."""
    ahead: list[T] = []
    read = 0
    while len(ahead) < window and read < _AHEAD and (item := next(items, None)) is not None:
        ahead.append(item)
        read += numbers(item)
    return ahead


def _numbers(item: Row) -> int:
    """Of frames: tokens take no memory to speak of."""
    if isinstance(item, JoinedRow):
        return _numbers(item.first) + _numbers(item.second)
    return item.size if isinstance(item, np.ndarray) else 0


def row_length(item: Row) -> int:
    """Tokens (END counted) or frames, of two inputs those of both."""
    if isinstance(item, JoinedRow):
        return row_length(item.first) + row_length(item.second)
    return len(item) + (not isinstance(item, np.ndarray))


def _padded(items: Sequence[Row]) -> Source:
    joined = [item for item in items if isinstance(item, JoinedRow)]
    if joined:
        first = _padded([item.first for item in joined])
        return replace(first, beside=_padded([item.second for item in joined]))
    frames = [item for item in items if isinstance(item, np.ndarray)]
    if frames:
        return Source.of_frames(frames, frames[0].shape[1])
    return Source.of_tokens(
        [item for item in items if not isinstance(item, np.ndarray | JoinedRow)]
    )
