"""Plain beam and greedy search on a few best candidates a row."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from transduce.errors import SearchError
from transduce.interfaces import END, Candidates
from transduce.search.choosing.decision import BoolArray, Decision, FloatArray, IntArray
from transduce.search.choosing.top_k import top

__all__ = ["choose", "from_rows", "wanted"]

# Lanes of more sums than this are searched by ``top`` where there are many; others are sorted.
_WIDE, _MANY = 128, 2048


def wanted(width: int) -> int:
    """How many candidates a row a beam of ``width`` needs while END is permitted.

    At most half of 2·W can be END. One is enough for a beam of one: where it is END,
    the search is done.
    """
    return 2 * width if width > 1 else 1


def from_rows(log_probs: Tensor, count: int) -> Candidates:
    """The ``count`` best (or all V) of each row ``[N, V]``; banned entries are -inf."""
    values, tokens = top(log_probs, count)
    return Candidates(values, tokens)


def choose(
    candidates: Candidates, scores: FloatArray, too_short: BoolArray | None = None
) -> Decision:
    """The W best continuations of each lane.

    Of the best 2·W those that are END and among the first W end there; the W best others
    go on. ``scores`` ``[M, W]`` are of the open hypotheses; ``too_short`` bool ``[M]`` is
    true where END is banned (then one more candidate a row is needed).

    Raises SearchError where the model's scores are not numbers.
    """
    lanes, width = scores.shape
    values, tokens = candidates.log_probs.cpu().numpy(), candidates.tokens.cpu().numpy()
    if np.isnan(values[:, 0]).any():
        raise SearchError("scores of the model must be numbers; got NaN")
    if too_short is not None:
        banned = (tokens == END) & too_short.repeat(width)[:, None]
        values = np.where(banned, values.dtype.type(-np.inf), values)
    each = values.shape[1]
    sums = values + scores.reshape(-1, 1)  # [N, n] + [N, 1]
    places = _best(sums.reshape(lanes, -1), wanted(width))  # [M, W·n]
    rows = places // each
    found, tokens, values = sums.take(places), tokens.take(places), values.take(places)
    ends = tokens == END
    if not ends.any():
        rows, tokens, values = rows[:, :width], tokens[:, :width], values[:, :width]
        return Decision.going_on(rows, tokens, values, found[:, :width])
    ended = ends[:, :width] & (found[:, :width] > -np.inf)
    first = _flat(ends.argsort(axis=1, kind="stable")[:, :width], ends.shape[1])
    return Decision(
        rows.take(first),
        tokens.take(first),
        values.take(first),
        np.where(ends, found.dtype.type(-np.inf), found).take(first),
        rows[:, :width][ended],
        values[:, :width][ended],
        found[:, :width][ended],
    )


def _best(sums: FloatArray, count: int) -> IntArray:
    """Places in the flat array of the ``count`` largest of each row of ``[M, n]``.

    Of equals the one further left: the better parent, then the smaller token.
    """
    size = sums.shape[1]
    if count == 1:
        return _flat(sums.argmax(axis=1)[:, None], size)
    if size > _WIDE and sums.size > _MANY:
        return _flat(top(torch.from_numpy(sums), count)[1].numpy(), size)
    return _flat((-sums).argsort(axis=1, kind="stable")[:, :count], size)


def _flat(places: IntArray, size: int) -> IntArray:
    """From places in rows of ``size`` to places in the whole."""
    if len(places) == 1:
        return places
    return places + np.arange(0, len(places) * size, size)[:, None]
