"""The plan of a beam search in numbers: how long outputs may be, how lengths are compared, which
sentences are decoded together.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Protocol

from transduce.interfaces import BeamPlan, Stopping

__all__ = [
    "PlanOptions",
    "beam_plan",
    "decoded_together",
    "length_penalties",
    "length_penalty",
    "limits",
]

_ROUNDING = 1e-9


class PlanOptions(Protocol):
    """What a plan is made of, in the words of ``SearchConfig``."""

    @property
    def beam(self) -> int:
        """Its width."""
        ...

    @property
    def nbest(self) -> int:
        """Outputs of each source."""
        ...

    @property
    def length_normalization(self) -> str:
        """none, average, gnmt or power."""
        ...

    @property
    def length_alpha(self) -> float:
        """The power."""
        ...

    @property
    def stopping(self) -> Stopping:
        """When a beam closes."""
        ...

    @property
    def forced_end(self) -> bool:
        """Whether what is open at the maximum length ends."""
        ...

    @property
    def min_length(self) -> int:
        """Tokens of an output at least."""
        ...

    @property
    def max_length(self) -> int:
        """At most."""
        ...

    @property
    def min_length_ratio(self) -> float | None:
        """Of the source's tokens, at least."""
        ...

    @property
    def max_length_ratio(self) -> float | None:
        """At most."""
        ...


def length_penalty(length: int, normalization: str, alpha: float) -> float:
    """What log-probabilities are divided by, for a hypothesis of n scored tokens (END counted).

    none: 1; average: n; power: n ** alpha; gnmt: ((5 + n) / 6) ** alpha (Wu et al. 2016,
    section 7).
    """
    if normalization == "none":
        return 1.0
    count = max(length, 1)
    if normalization == "average":
        return float(count)
    base = float(count) if normalization == "power" else (5.0 + count) / 6.0
    penalty: float = base**alpha
    return penalty


@lru_cache(maxsize=8)  # a search asks anew at each batch
def length_penalties(count: int, normalization: str, alpha: float) -> tuple[float, ...]:
    """The :func:`length_penalty` of 0, 1, … ``count`` - 1 scored tokens."""
    return tuple(length_penalty(length, normalization, alpha) for length in range(count))


def limits(source_tokens: int, options: PlanOptions, prefix: int) -> tuple[int, int]:
    """How many tokens (END not counted) the output of a source of so many may have.

    The stricter of the absolute limit and the ratio holds. Where they meet for a short or
    long source the maximum wins, and it leaves room for one token and for the forced prefix.
    """
    most = options.max_length
    if options.max_length_ratio is not None:
        most = min(most, math.floor(options.max_length_ratio * source_tokens + _ROUNDING))
    most = max(most, prefix, 1)
    least = options.min_length
    if options.min_length_ratio is not None:
        least = max(least, math.ceil(options.min_length_ratio * source_tokens - _ROUNDING))
    return min(least, most), most


def beam_plan(
    bounds: Sequence[tuple[int, int]],
    options: PlanOptions,
    *,
    prefix: tuple[int, ...] = (),
    free: int = 0,
    banned_first: tuple[int, ...] = (),
) -> BeamPlan:
    """The search of sentences whose outputs have these :func:`limits`."""
    most = tuple(maximum for _, maximum in bounds)
    return BeamPlan(
        options.beam,
        options.nbest,
        tuple(minimum for minimum, _ in bounds),
        most,
        length_penalties(max(most) + 3, options.length_normalization, options.length_alpha),
        prefix,
        free,
        banned_first,
        options.stopping,
        options.forced_end,
    )


def decoded_together(lengths: Sequence[int], batch_tokens: int, rows: int) -> Iterator[list[int]]:
    """Places of sentences (``lengths`` count END), longest first: in each batch at most
    ``batch_tokens`` source tokens, padding counted, times ``rows`` of a sentence.
    """
    order = sorted(range(len(lengths)), key=lambda place: -lengths[place])
    while order:
        count = max(1, batch_tokens // (lengths[order[0]] * rows))
        yield order[:count]
        order = order[count:]
