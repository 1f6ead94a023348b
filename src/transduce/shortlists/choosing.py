"""How many tokens a shortlist needs, so that outputs stay what they are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transduce.interfaces import END, Source
from transduce.search import Shortlist
from transduce.shortlists.lexicon import Lexicon

__all__ = ["Chosen", "Heard", "choose_shortlist"]

Integers = NDArray[np.integer[Any]]

_EACH = (5, 10, 20, 50, 100, 200, 400)
_LEAST_FREQUENT = 50  # tokens that are at hand whatever was seen


@dataclass(frozen=True)
class Heard:
    """A source in tokens, END behind, and what the model writes for it from all tokens."""

    source: Sequence[int]
    output: Sequence[int]


@dataclass(frozen=True)
class Chosen:
    """A shortlist of the ``frequent`` tokens and the ``each`` likeliest of each source token.

    With it the share ``unchanged`` of what was seen is the same; ``listed`` tokens are in the list
    of a source, in the mean.
    """

    shortlist: Shortlist
    frequent: int
    each: int
    unchanged: float
    listed: float


def choose_shortlist(
    lexicon: Lexicon, counts: Integers, copies: Integers, seen: Sequence[Heard], share: float
) -> Chosen:
    """The shortest lists with which at least ``share`` (0 to 1) of the outputs are the same.

    ``counts`` ``[V]`` say how often each target token is written, ``copies`` ``[S]`` which one is
    the same symbol as a source token (one below END: none). Greedy outputs are the same where all
    their tokens are listed, as no other token becomes likelier; those of a beam nearly always.
    """
    order = np.lexsort((np.arange(len(counts)), -counts))
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    found = [_with(lexicon, order, rank, copies, seen, share, each) for each in _EACH]
    return min(found, key=lambda chosen: chosen.listed)


def _with(
    lexicon: Lexicon,
    order: Integers,
    rank: Integers,
    copies: Integers,
    seen: Sequence[Heard],
    share: float,
    each: int,
) -> Chosen:
    offsets, tokens = _and_copies(*lexicon.likeliest(each), copies)
    own = Shortlist(offsets, tokens, order[:0], len(order))
    lists = own.of(Source.of_tokens([one.source[:-1] for one in seen])).numpy()
    needed = np.array(
        [
            _needed(rank, row, np.asarray(one.output, np.int64))
            for row, one in zip(lists, seen, strict=True)
        ]
    )
    most = np.sort(needed)[max(0, math.ceil(share * len(needed)) - 1)] if len(needed) else 0
    frequent = min(max(int(most), _LEAST_FREQUENT), len(order))
    # of each list those that are not frequent anyway, and PADDING, which fills the others up
    rare = [(rank[np.unique(row)] >= frequent).sum() for row in lists]
    return Chosen(
        Shortlist(offsets, tokens, np.sort(order[:frequent]), len(order)),
        frequent,
        each,
        float((needed <= frequent).mean()) if len(needed) else 1.0,
        frequent + float(np.mean(rare) if rare else 0.0),
    )


def _needed(rank: Integers, listed: Integers, output: Integers) -> int:
    """How many frequent tokens make an output possible with a list."""
    left = output[~np.isin(output, listed)]
    return int(rank[left].max()) + 1 if len(left) else 0


def _and_copies(
    offsets: Integers, tokens: Integers, copies: Integers
) -> tuple[NDArray[np.int64], Integers]:
    """With the symbol itself among those of a source token."""
    copied = copies > END
    sizes = np.diff(offsets) + copied
    after = np.concatenate([[0], np.cumsum(sizes)])
    joined = np.empty(int(after[-1]), dtype=np.int64)
    own = np.ones(len(joined), dtype=bool)
    own[after[1:][copied] - 1] = False  # the last of its source token
    joined[own] = tokens
    joined[~own] = copies[copied]
    return after, joined
