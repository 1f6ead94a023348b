"""The k largest of each row, with ties broken the same way everywhere."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad

__all__ = ["top"]

# Rows at least this wide are first cut into blocks, of which only the best are searched.
_WIDE, _BLOCK = 2048, 64


def top(values: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Values and places of the ``count`` (or all n) largest of each row of ``[R, n]``.

    Largest first; of equal values the one further left comes first and is preferred,
    which ``torch.topk`` does not promise.
    """
    size = values.shape[1]
    if count == 1:
        best = values.max(dim=1, keepdim=True)  # documented to give the first of equals
        return best.values, best.indices
    if count >= size:
        ordered = values.sort(dim=1, descending=True, stable=True)
        return ordered.values, ordered.indices
    found, places = _largest(values, count + 1)
    ties = found[:, 1:] == found[:, :-1]
    if bool(ties.any()):
        ties &= found[:, 1:] > -torch.inf
    found, places = found[:, :count], places[:, :count]
    if bool(ties.any()):
        rows = ties.any(dim=1).nonzero()[:, 0]
        found[rows], places[rows] = _first_of_equals(values[rows], found[rows, -1:], count)
    return found, places


def _largest(values: Tensor, count: int) -> tuple[Tensor, Tensor]:
    rows, size = values.shape
    blocks = -(-size // _BLOCK)
    if size < _WIDE or blocks <= count:
        found = values.topk(count, dim=1)
        return found.values, found.indices
    if size % _BLOCK:
        values = pad(values, (0, blocks * _BLOCK - size), value=-torch.inf)
    blocked = values.reshape(rows, blocks, _BLOCK)  # [N, V] → [N, V/block, block]
    # The k largest lie in the k blocks whose largest values are largest.
    best = blocked.amax(dim=2).topk(count, dim=1).indices
    # [N, k, block] → [N, k·block]
    inside = blocked.gather(1, best[..., None].expand(-1, -1, _BLOCK)).flatten(1)
    found = inside.topk(count, dim=1)
    block = best.gather(1, found.indices // _BLOCK)
    return found.values, block * _BLOCK + found.indices % _BLOCK


def _first_of_equals(values: Tensor, least: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The largest of each row where ``least`` ``[R, 1]`` is the smallest of them."""
    above, equal = values > least, values == least
    wanted = count - above.sum(dim=1, keepdim=True)
    kept = above | (equal & (equal.cumsum(dim=1) <= wanted))
    places = kept.nonzero()[:, 1].view(len(values), count)  # [R·k] → [R, k]
    ordered = values.gather(1, places).sort(dim=1, descending=True, stable=True)
    return ordered.values, places.gather(1, ordered.indices)
