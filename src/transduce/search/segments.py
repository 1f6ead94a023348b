"""Sources in several segments, such as long recordings: each segment has outputs of its own."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import torch

from transduce.config import SearchConfig
from transduce.interfaces import Frames, Stepper
from transduce.search.batches import decode_all, read_ahead
from transduce.search.guessed_language import beginning_with
from transduce.search.hypothesis import Hypothesis
from transduce.search.retrace import Retracing
from transduce.search.rules.constraints import Constraints, check

__all__ = ["decode_segments"]


def decode_segments(
    stepper: Stepper[Any],
    sources: Iterable[list[Frames]],
    options: SearchConfig,
    constraints: Constraints | None = None,
    *,
    device: torch.device | str = "cpu",
    window: int = 1024,
    retracing: Retracing | None = None,
) -> Iterator[list[Hypothesis]]:
    """The outputs of each segment ``[S, F]`` of each source, in order, as ``decode_all`` does.

    Where the first token is chosen (``Constraints.first_of``), it is by a source's first segment,
    and the others begin with the same: a recording is in one language. Raises SearchError.
    """
    check(options, constraints or Constraints())
    if constraints is None or not constraints.first_of:
        return decode_all(
            stepper,
            itertools.chain.from_iterable(sources),
            options,
            constraints,
            device=device,
            window=window,
            retracing=retracing,
        )
    return _Rounds(stepper, options, constraints, device, retracing).run(iter(sources), window)


@dataclass(frozen=True)
class _Rounds:
    """First segments, which choose; then all others, those that begin alike together."""

    stepper: Stepper[Any]
    options: SearchConfig
    constraints: Constraints
    device: torch.device | str
    retracing: Retracing | None

    def run(self, sources: Iterator[list[Frames]], window: int) -> Iterator[list[Hypothesis]]:
        before = 0
        while ahead := read_ahead(sources, window, _size):
            yield from self._outputs(ahead, before)
            before += sum(len(segments) for segments in ahead)

    def _outputs(self, sources: list[list[Frames]], before: int) -> list[list[Hypothesis]]:
        """``before`` counts the segments of earlier windows; random draws follow their number."""
        segments = list(itertools.chain.from_iterable(sources))
        counts = [len(source) for source in sources]
        firsts = [0, *itertools.accumulate(counts)][:-1]
        outputs = self._decode(segments, firsts, before, self.constraints)
        following: dict[int, list[int]] = {}
        for first, count in zip(firsts, counts, strict=True):
            token = outputs[first][0].tokens[0]
            following.setdefault(token, []).extend(range(first + 1, first + count))
        for token, places in following.items():
            outputs |= self._decode(
                segments, places, before, beginning_with(self.constraints, token)
            )
        return [outputs[place] for place in range(len(segments))]

    def _decode(
        self, segments: list[Frames], places: list[int], before: int, constraints: Constraints
    ) -> dict[int, list[Hypothesis]]:
        found = decode_all(
            self.stepper,
            [segments[place] for place in places],
            self.options,
            constraints,
            device=self.device,
            numbers=[before + place for place in places],
            retracing=self.retracing,
        )
        return dict(zip(places, found, strict=True))


def _size(segments: list[Frames]) -> int:
    return sum(segment.size for segment in segments)
